//! Volumes of the pod and where the container sees them.

use k8s_openapi::api::core::v1::{
    ConfigMapVolumeSource, EmptyDirVolumeSource, KeyToPath, PersistentVolumeClaimVolumeSource,
    SecretVolumeSource, Volume, VolumeMount,
};
use k8s_openapi::apimachinery::pkg::api::resource::Quantity;
use kube::ResourceExt;

use crate::api::{AgentRun, SystemPromptRef, WorkloadVolume};
use crate::config::{AuthSecret, Settings};

use super::super::config_maps::input_key;
use super::super::names::object;
use super::super::text::given;
use super::super::validate::{Plan, Prompt};
use super::super::{run_files, text};

const PROMPT_DIRECTORY: &str = "/workspace/.codex";
const PROMPT_FILE: &str = "system-prompt.txt";

/// Where a referenced system prompt stands in the container.
pub(super) fn system_prompt_path() -> String {
    format!("{PROMPT_DIRECTORY}/{PROMPT_FILE}")
}

/// All volumes with their mounts, in the documented order.
pub(super) fn build(run: &AgentRun, plan: &Plan, settings: &Settings) -> (Vec<Volume>, Vec<VolumeMount>) {
    let run_name = run.name_any();
    let mut built = Built::default();
    built.files(&run_name, plan);
    if let Prompt::Reference(reference) = &plan.prompt {
        built.system_prompt(&object(&run_name, "system-prompt"), reference);
    }
    if let Some(auth) = &settings.auth_secret {
        built.auth(&run_name, auth);
    }
    for volume in plan.workload.volumes.iter().flatten() {
        built.workload(volume);
    }
    (built.volumes, built.mounts)
}

#[derive(Default)]
struct Built {
    volumes: Vec<Volume>,
    mounts: Vec<VolumeMount>,
}

impl Built {
    fn files(&mut self, run_name: &str, plan: &Plan) {
        let spec = object(run_name, &plan.part.spec());
        self.volumes.push(config_map(&spec));
        for file in [run_files::RUN, run_files::RUNNER] {
            self.mounts.push(mount_file(&spec, &format!("{}/{file}", run_files::WORKSPACE), file));
        }
        let files = plan.provider.spec.input_files.as_deref().unwrap_or_default();
        if !files.is_empty() {
            let inputs = object(run_name, &plan.part.inputs());
            self.volumes.push(config_map(&inputs));
            for (index, file) in files.iter().enumerate() {
                self.mounts.push(mount_file(&inputs, &file.path, &input_key(index)));
            }
        }
    }

    fn system_prompt(&mut self, name: &str, reference: &SystemPromptRef) {
        let items = Some(vec![KeyToPath {
            key: reference.key.trim().to_owned(),
            path: PROMPT_FILE.to_owned(),
            mode: None,
        }]);
        let object = reference.name.trim().to_owned();
        let mut volume = Volume { name: name.to_owned(), ..Volume::default() };
        if reference.kind == "Secret" {
            volume.secret = Some(SecretVolumeSource {
                secret_name: Some(object),
                items,
                ..SecretVolumeSource::default()
            });
        } else {
            volume.config_map =
                Some(ConfigMapVolumeSource { name: object, items, ..ConfigMapVolumeSource::default() });
        }
        self.volumes.push(volume);
        self.mounts.push(VolumeMount { read_only: Some(true), ..mount(name, PROMPT_DIRECTORY) });
    }

    /// The directory is writable, because the runner keeps state beside the credentials.
    fn auth(&mut self, run_name: &str, auth: &AuthSecret) {
        let home = object(run_name, "auth-home");
        let secret = object(run_name, "auth");
        self.volumes.push(Volume {
            name: home.clone(),
            empty_dir: Some(EmptyDirVolumeSource::default()),
            ..Volume::default()
        });
        self.volumes.push(Volume {
            name: secret.clone(),
            secret: Some(SecretVolumeSource {
                secret_name: Some(auth.name.clone()),
                items: Some(vec![KeyToPath { key: auth.key.clone(), path: auth.key.clone(), mode: None }]),
                ..SecretVolumeSource::default()
            }),
            ..Volume::default()
        });
        self.mounts.push(mount(&home, &auth.mount_path));
        self.mounts.push(VolumeMount {
            read_only: Some(true),
            ..mount_file(&secret, &format!("{}/{}", auth.mount_path, auth.key), &auth.key)
        });
    }

    fn workload(&mut self, wanted: &WorkloadVolume) {
        let mut volume = Volume { name: wanted.name.clone(), ..Volume::default() };
        match wanted.type_.as_str() {
            "pvc" => {
                volume.persistent_volume_claim = Some(PersistentVolumeClaimVolumeSource {
                    claim_name: wanted.claim_name.clone().unwrap_or_default(),
                    read_only: wanted.read_only,
                });
            }
            "secret" => {
                volume.secret = Some(SecretVolumeSource {
                    secret_name: given(wanted.secret_name.as_ref()).map(str::to_owned),
                    ..SecretVolumeSource::default()
                });
            }
            _ => {
                volume.empty_dir = Some(EmptyDirVolumeSource {
                    medium: given(wanted.medium.as_ref()).map(str::to_owned),
                    size_limit: wanted
                        .size_limit
                        .as_deref()
                        .and_then(text::non_blank)
                        .map(|size| Quantity(size.to_owned())),
                });
            }
        }
        self.volumes.push(volume);
        self.mounts
            .push(VolumeMount { read_only: wanted.read_only, ..mount(&wanted.name, &wanted.mount_path) });
    }
}

fn config_map(name: &str) -> Volume {
    let source = ConfigMapVolumeSource { name: name.to_owned(), ..ConfigMapVolumeSource::default() };
    Volume { name: name.to_owned(), config_map: Some(source), ..Volume::default() }
}

fn mount(volume: &str, path: &str) -> VolumeMount {
    VolumeMount { name: volume.to_owned(), mount_path: path.to_owned(), ..VolumeMount::default() }
}

fn mount_file(volume: &str, path: &str, key: &str) -> VolumeMount {
    VolumeMount { sub_path: Some(key.to_owned()), ..mount(volume, path) }
}
