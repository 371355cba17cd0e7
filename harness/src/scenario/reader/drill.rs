//! What a drill works with, from its document.

use super::Reader;
use crate::diagnostic::Diagnostic;
use crate::scenario::document::DrillDocument;
use crate::scenario::suite::DrillSetting;

impl Reader<'_> {
    pub(in crate::scenario) fn drill(&mut self, document: &DrillDocument) -> Option<DrillSetting> {
        let objects: Vec<_> =
            document.objects.iter().filter_map(|file| self.manifest(file, None, None)).collect();
        let run = self.manifest(&document.run, None, None);
        let workflow = self.manifest(&document.workflow, None, None);
        let (run, workflow) = (run?, workflow?);
        if (&run.api_version, &run.kind) != (&workflow.api_version, &workflow.kind) {
            let message = format!("`{}` is no {} of {}", document.workflow.value, run.kind, run.api_version);
            let problem = Diagnostic::new(document.workflow.location.clone(), message);
            self.problems.push(problem.with_help("`run` and `workflow` are of one kind"));
            return None;
        }
        Some(DrillSetting {
            values: document.values.as_ref().map(|values| self.expand(values).to_json()).unwrap_or_default(),
            limit: document.limit.value.clone(),
            objects,
            run,
            workflow,
        })
    }
}
