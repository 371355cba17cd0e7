//! Condition types and reasons, the words that users and tools match on.

/// Condition: the run was submitted.
pub const ACCEPTED: &str = "Accepted";
/// Condition: the run is being executed.
pub const IN_PROGRESS: &str = "InProgress";
/// Condition: the run did its work.
pub const SUCCEEDED: &str = "Succeeded";
/// Condition: the run went wrong on the way.
pub const FAILED: &str = "Failed";
/// Condition: the run could never start as it was written.
pub const INVALID_SPEC: &str = "InvalidSpec";
/// Condition: the runtime reported a cancellation.
pub const CANCELLED: &str = "Cancelled";
/// Condition: the run waits for capacity.
pub const BLOCKED: &str = "Blocked";
/// Condition: an object of somebody else has a name the run needs.
pub const JOB_CONFLICT: &str = "JobConflict";
/// Condition: another run has the idempotency key.
pub const DUPLICATE: &str = "Duplicate";
/// Condition: something is odd, the run goes on.
pub const WARNING: &str = "Warning";
/// Condition: version control was asked for and is off.
pub const VCS_SKIPPED: &str = "VcsSkipped";
/// Condition: artifacts were dropped.
pub const ARTIFACTS_LIMITED: &str = "ArtifactsLimited";
/// Derived condition: true only in phase Succeeded.
pub const READY: &str = "Ready";
/// Derived condition: true only in phases Pending and Running.
pub const PROGRESSING: &str = "Progressing";
/// Derived condition: true only in phases Failed and Cancelled.
pub const DEGRADED: &str = "Degraded";

/// Reason of [`ACCEPTED`].
pub const SUBMITTED: &str = "Submitted";
/// Reason of [`IN_PROGRESS`] while it is true.
pub const RUNNING: &str = "Running";
/// Reason of [`IN_PROGRESS`] after the end.
pub const FINISHED: &str = "Finished";
/// Reason of [`SUCCEEDED`].
pub const COMPLETED: &str = "Completed";
/// Reason of [`JOB_CONFLICT`] when the name is free again.
pub const RESOLVED: &str = "Resolved";
/// Reason of [`BLOCKED`]: too many runs are in flight.
pub const CONCURRENCY_LIMIT: &str = "ConcurrencyLimit";
/// Reason of [`BLOCKED`]: too many older runs wait.
pub const QUEUE_LIMIT: &str = "QueueLimit";
/// Reason of [`BLOCKED`]: too many runs were started a short while ago.
pub const RATE_LIMIT: &str = "RateLimit";
/// Reason of [`BLOCKED`]: the run came without its status through a restore.
pub const STATUS_LOST_IN_RESTORE: &str = "StatusLostInRestore";
/// Reason of [`BLOCKED`]: the run has an idempotency key, and the database cannot be asked about it.
pub const IDEMPOTENCY_STORE_UNAVAILABLE: &str = "IdempotencyStoreUnavailable";
/// Reason of [`BLOCKED`] when the run starts.
pub const NOT_BLOCKED: &str = "NotBlocked";
/// Reason of [`WARNING`] when nothing is odd any more.
pub const NONE: &str = "None";
/// Warning: the submission did not work yet.
pub const SUBMIT_RETRYING: &str = "SubmitRetrying";
/// Failure or warning: the spec was edited after acceptance.
pub const SPEC_IMMUTABLE_VIOLATION: &str = "SpecImmutableViolation";
/// Failure: the Job failed and gave no reason.
pub const JOB_FAILED: &str = "JobFailed";
/// Failure: the Job vanished.
pub const JOB_MISSING: &str = "JobMissing";
/// Reason of [`DUPLICATE`]: the run with the same idempotency key has not ended.
pub const IDEMPOTENCY_KEY_IN_USE: &str = "IdempotencyKeyInUse";
/// Reason of [`DUPLICATE`]: the run with the same idempotency key has ended.
pub const IDEMPOTENCY_KEY_COMPLETED: &str = "IdempotencyKeyCompleted";
/// Failure: the run was in flight when it was backed up, and what executed it is lost.
pub const RUNTIME_LOST_IN_RESTORE: &str = "RuntimeLostInRestore";
/// Failure: the API server refused the Job or a `ConfigMap` for good.
pub const SUBMIT_FAILED: &str = "SubmitFailed";
/// Failure: the last attempt of a workflow step failed.
pub const WORKFLOW_STEP_FAILED: &str = "WorkflowStepFailed";
/// Failure: the last attempt of a workflow step took too long.
pub const WORKFLOW_STEP_TIMED_OUT: &str = "WorkflowStepTimedOut";
/// Failure: an attempt of a workflow step is due and none is left.
pub const WORKFLOW_STEP_RETRIES_EXHAUSTED: &str = "WorkflowStepRetriesExhausted";
/// Failure or warning: the Job of a workflow step vanished.
pub const WORKFLOW_JOB_MISSING: &str = "WorkflowJobMissing";
/// Failure: version control is required and off.
pub const VCS_UNAVAILABLE: &str = "VcsUnavailable";
/// Failure: artifacts broke their limits in strict mode.
pub const ARTIFACTS_LIMIT_EXCEEDED: &str = "ArtifactsLimitExceeded";
/// Reason of [`VCS_SKIPPED`].
pub const VCS_PROVIDERS_DISABLED: &str = "VcsProvidersDisabled";
/// Reason of [`ARTIFACTS_LIMITED`] when what is reported lies within the limits again.
pub const WITHIN_LIMITS: &str = "WithinLimits";
/// Reason of [`ARTIFACTS_LIMITED`]: an artifact without name.
pub const MISSING_NAME: &str = "MissingName";
/// Reason of [`ARTIFACTS_LIMITED`]: content in place of an address.
pub const INLINE_URL_DISALLOWED: &str = "InlineUrlDisallowed";
/// Reason of [`ARTIFACTS_LIMITED`]: an address of more than 2048 characters.
pub const URL_TOO_LONG: &str = "UrlTooLong";
/// Reason of [`ARTIFACTS_LIMITED`]: more artifacts than allowed.
pub const TOO_MANY_ARTIFACTS: &str = "TooManyArtifacts";

/// Refusal: no runtime type.
pub const MISSING_RUNTIME: &str = "MissingRuntime";
/// Refusal: a runtime this controller does not execute.
pub const UNSUPPORTED_RUNTIME: &str = "UnsupportedRuntime";
/// Refusal: more than 100 parameters.
pub const PARAMETERS_TOO_LARGE: &str = "ParametersTooLarge";
/// Refusal: a parameter that is no string.
pub const PARAMETER_NOT_STRING: &str = "ParameterNotString";
/// Refusal: a parameter of more than 2048 bytes.
pub const PARAMETER_VALUE_TOO_LARGE: &str = "ParameterValueTooLarge";
/// Refusal: a label that policy requires is missing.
pub const MISSING_REQUIRED_LABELS: &str = "MissingRequiredLabels";
/// Refusal: a label that policy denies.
pub const LABEL_BLOCKED: &str = "LabelBlocked";
/// Refusal: a label that policy does not allow.
pub const LABEL_NOT_ALLOWED: &str = "LabelNotAllowed";
/// Refusal: an image that policy denies.
pub const IMAGE_BLOCKED: &str = "ImageBlocked";
/// Refusal: an image that policy does not allow.
pub const IMAGE_NOT_ALLOWED: &str = "ImageNotAllowed";
/// Refusal: a Secret outside an allow list.
pub const SECRET_NOT_ALLOWED: &str = "SecretNotAllowed";
/// Refusal: a Secret that policy blocks.
pub const SECRET_BLOCKED: &str = "SecretBlocked";
/// Refusal: a service account outside the Agent's allow list.
pub const SERVICE_ACCOUNT_NOT_ALLOWED: &str = "ServiceAccountNotAllowed";
/// Refusal: the Agent does not exist.
pub const MISSING_AGENT: &str = "MissingAgent";
/// Refusal: the `AgentProvider` does not exist.
pub const MISSING_PROVIDER: &str = "MissingProvider";
/// Refusal: no work is given.
pub const MISSING_IMPLEMENTATION: &str = "MissingImplementation";
/// Refusal: the Memory does not exist.
pub const MISSING_MEMORY: &str = "MissingMemory";
/// Refusal: no source gives an image.
pub const MISSING_WORKLOAD_IMAGE: &str = "MissingWorkloadImage";
/// Refusal: a workflow without steps.
pub const MISSING_WORKFLOW_STEPS: &str = "MissingWorkflowSteps";
/// Refusal: a workflow step without name.
pub const WORKFLOW_STEP_MISSING_NAME: &str = "WorkflowStepMissingName";
/// Refusal: two workflow steps of the same name.
pub const WORKFLOW_STEP_DUPLICATE: &str = "WorkflowStepDuplicate";
/// Refusal: the contract itself is broken.
pub const INVALID_CONTRACT: &str = "InvalidContract";
/// Refusal: the contract is not met.
pub const MISSING_REQUIRED_METADATA: &str = "MissingRequiredMetadata";
/// Refusal: the text of a system prompt is unusable.
pub const INVALID_SYSTEM_PROMPT: &str = "InvalidSystemPrompt";
/// Refusal: a reference to a system prompt is incomplete.
pub const INVALID_SYSTEM_PROMPT_REF: &str = "InvalidSystemPromptRef";
/// Refusal: the object or key with the system prompt does not exist.
pub const MISSING_SYSTEM_PROMPT_REF: &str = "MissingSystemPromptRef";
/// Refusal: a system prompt of more than 16384 characters.
pub const SYSTEM_PROMPT_TOO_LONG: &str = "SystemPromptTooLong";

/// Verdict over the other kinds: nothing is wrong.
pub const VALID_SPEC: &str = "ValidSpec";
/// Verdict: an Agent names no provider.
pub const MISSING_PROVIDER_REF: &str = "MissingProviderRef";
/// Verdict: a provider names no program.
pub const MISSING_BINARY: &str = "MissingBinary";
/// Verdict: an implementation has no text.
pub const MISSING_TEXT: &str = "MissingText";
/// Verdict: the text of an implementation is too long.
pub const TEXT_TOO_LARGE: &str = "TextTooLarge";
/// Verdict: the summary of an implementation is too long.
pub const SUMMARY_TOO_LONG: &str = "SummaryTooLong";
/// Verdict: the description of an implementation is too long.
pub const DESCRIPTION_TOO_LARGE: &str = "DescriptionTooLarge";
/// Verdict: an implementation has too many acceptance criteria.
pub const ACCEPTANCE_CRITERIA_TOO_LONG: &str = "AcceptanceCriteriaTooLong";
