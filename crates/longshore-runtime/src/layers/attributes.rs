//! Names of span attributes, pinned to one version of the OpenTelemetry conventions.
//!
//! The messaging conventions are not stable yet; this is the one place that changes with them.
//! Source: OpenTelemetry semantic conventions 1.37.0, "Messaging spans" (consumer, `process`).

/// Which version of the conventions these names are from.
pub const SCHEMA_URL: &str = "https://opentelemetry.io/schemas/1.37.0";

/// Who carries the messages: always [`SYSTEM_VALUE`].
pub const SYSTEM: &str = "messaging.system";
/// The value of [`SYSTEM`].
pub const SYSTEM_VALUE: &str = "longshore";
/// What is done, in the words of the system: `process`.
pub const OPERATION_NAME: &str = "messaging.operation.name";
/// What is done, in the words of the conventions: `process`.
pub const OPERATION_TYPE: &str = "messaging.operation.type";
/// The queue; of a message, its topic.
pub const DESTINATION: &str = "messaging.destination.name";
/// The group that got a message.
pub const GROUP: &str = "messaging.consumer.group.name";
/// The task's id; of a message, its identity.
pub const MESSAGE_ID: &str = "messaging.message.id";
/// The task's kind. Our own.
pub const KIND: &str = "messaging.longshore.kind";
/// The consumer of a message. Our own.
pub const CONSUMER: &str = "messaging.longshore.consumer";
/// The number of the attempt, from 1. Our own.
pub const ATTEMPT: &str = "messaging.longshore.attempt";
/// Whose task it is. Our own.
pub const TENANT: &str = "messaging.longshore.tenant";
/// W3C `traceparent` of whoever submitted the task: what the span is to be linked to. Our own.
pub const CREATOR: &str = "messaging.longshore.traceparent";
/// The class of a failure, absent otherwise.
pub const ERROR_TYPE: &str = "error.type";
