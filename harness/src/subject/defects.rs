//! The defects that an implementation can be given, see [`Defects`].

use std::process::Stdio;
use std::time::Duration;

use serde::{Deserialize, Serialize};
use tokio::process::Command;

use super::build::build;
use super::error::SubjectError;
use super::implementation::{Defects, Implementation, Process};
use super::values;
use crate::event::EventSink;

/// Deadline of the command that lists defects.
const LIST: Duration = Duration::from_secs(30);

/// A wrong decision that can be planted.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Defect {
    /// Its name, which is the value of the setting that plants it.
    pub name: String,
    /// Ids of the requirements that it breaks, each of which has to be noticed.
    pub requirements: Vec<String>,
    /// What it does wrong.
    #[serde(default)]
    pub summary: String,
}

impl Implementation {
    /// The same implementation with the programs that can be given a defect.
    pub fn defective(&self) -> Option<Self> {
        let Defects { build, programs, .. } = self.defects.clone()?;
        let ports = self.process.as_ref().map(|process| process.ports.clone()).unwrap_or_default();
        let mut defective = self.clone();
        defective.process = Some(Process { build, programs, ports });
        Some(defective)
    }

    /// The same implementation with this defect in every install.
    #[must_use]
    pub fn with_defect(&self, name: &str) -> Self {
        let mut defective = self.clone();
        if let Some(defects) = &self.defects {
            let own = defective.install.values_mut();
            let mut values = serde_json::Value::Object(std::mem::take(own));
            values::merge(&mut values, &values::at_path(&defects.path, name.into()));
            if let serde_json::Value::Object(values) = values {
                *own = values;
            }
        }
        defective
    }
}

/// Builds the programs with defects and asks which there are.
pub async fn list(
    implementation: &Implementation,
    defects: &Defects,
    events: &EventSink,
) -> Result<Vec<Defect>, SubjectError> {
    if let Some(command) = &defects.build {
        build(implementation, command, events).await?;
    }
    let command = defects.list.join(" ");
    let failed = |message: String| SubjectError::Defects { command: command.clone(), message };
    let (program, arguments) = defects.list.split_first().ok_or_else(|| failed("it is empty".to_owned()))?;
    let output = Command::new(implementation.resolve(program.as_ref()))
        .args(arguments)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output();
    let output = tokio::time::timeout(LIST, output)
        .await
        .map_err(|_elapsed| failed(format!("no answer within {} s", LIST.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    if !output.status.success() {
        return Err(failed(format!("{}: {}", output.status, String::from_utf8_lossy(&output.stderr).trim())));
    }
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = text.lines().filter(|line| !line.trim().is_empty());
    lines
        .map(|line| serde_json::from_str(line).map_err(|error| failed(format!("{error} in `{line}`"))))
        .collect()
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::yaml::Source;

    fn implementation(list: &str) -> Implementation {
        let text = format!(
            "apiVersion: hallmark.dev/v1alpha1\nkind: Implementation\nmetadata: {{name: x}}\nspec:\n  \
             install: {{chart: {{path: chart, release: x, values: {{env: {{vars: {{KEPT: a}}}}}}}}}}\n  \
             settings: {{namespaces: {{path: namespaces}}}}\n  \
             process: {{programs: {{/x: right}}, ports: [{{containerPort: 8080, env: PORT}}]}}\n  \
             health: {{ready: {{port: 8080, path: /readyz}}}}\n  \
             defects: {{programs: {{/x: wrong}}, list: {list}, path: env.vars.DEFECT}}\n"
        );
        Implementation::parse(&Source::new("x.yaml", text)).expect("an implementation")
    }

    #[test]
    fn a_defect_changes_the_programs_and_one_value() {
        let defective = implementation("[x]").defective().expect("it has defects").with_defect("off-by-one");
        let values = serde_json::Value::Object(defective.install.values().clone());
        assert_eq!(values, serde_json::json!({"env": {"vars": {"KEPT": "a", "DEFECT": "off-by-one"}}}));
        let process = defective.process.expect("it runs as a process");
        assert_eq!(process.programs.get("/x").map(AsRef::as_ref), Some(Path::new("wrong")));
        assert_eq!(process.ports.len(), 1);
    }

    async fn listed(list: &str) -> Result<Vec<Defect>, String> {
        let implementation = implementation(list);
        let defects = implementation.defects.clone().expect("it has defects");
        let (events, _receiver) = EventSink::channel();
        super::list(&implementation, &defects, &events).await.map_err(|error| error.to_string())
    }

    #[tokio::test]
    async fn defects_are_what_the_program_says() {
        let found = listed(r#"[/bin/echo, '{"name": "a", "requirements": ["A-1"]}']"#).await;
        let a = Defect { name: "a".to_owned(), requirements: vec!["A-1".to_owned()], summary: String::new() };
        assert_eq!(found, Ok(vec![a]));
    }

    #[tokio::test]
    async fn a_list_that_cannot_be_had_names_the_command() {
        for (command, part) in
            [("[/bin/false]", "/bin/false"), ("[/bin/echo, none]", "none"), ("[missing]", "missing")]
        {
            let error = listed(command).await.expect_err("no list");
            assert!(error.contains(part), "{error}");
        }
    }
}
