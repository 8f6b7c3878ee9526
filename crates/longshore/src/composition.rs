//! From what the code brings and what the configuration says to kinds and queues: the one place
//! for the start and for every reload.

use crate::Error;
use crate::brokers::check_configured;
use crate::config::{self, Config, ConfigError, Runner};
use crate::guards::Guards;
use longshore_core::queue::QueueSettings;
use longshore_core::{Clock, KindName, QueueName, Span, SystemClock};
use longshore_runtime::exec;
use longshore_runtime::handler::BoxHandler;
use longshore_runtime::handler::remote::command::{CommandSpec, command};
use longshore_runtime::handler::remote::push::{PushSpec, push};
use longshore_runtime::intake::validate;
use longshore_runtime::messages::{BadConsumer, Checked, Consumer};
use longshore_runtime::schema::Schema;
use longshore_runtime::signature::Secret;
use longshore_runtime::{Kind, Plan, Registry};
use std::time::Duration;

/// What the code of the program brings.
#[derive(Debug, Clone, Default)]
pub(crate) struct Code {
    pub(crate) kinds: Vec<Kind>,
    pub(crate) queues: Vec<(QueueName, QueueSettings)>,
    /// Which brokers carry queues.
    pub(crate) carriers: Vec<(QueueName, String)>,
    pub(crate) consumers: Vec<(String, Consumer, BoxHandler)>,
}

/// What may be said of a queue.
const QUEUE: [&str; 4] = ["slots", "limit", "rate", "backlog"];

/// Puts both together. What the configuration says of a kind in the code goes before what the code
/// says.
pub(crate) fn registry(code: &Code, config: Option<&Config>) -> Result<Registry, ConfigError> {
    let mut registry = Registry::default();
    for (name, settings) in &code.queues {
        registry.add_queue(name.clone(), settings.clone());
        registry.carry(name.clone(), None);
    }
    for (name, carrier) in &code.carriers {
        registry.carry(name.clone(), Some(carrier.as_str().into()));
    }
    for kind in &code.kinds {
        registry.add(kind.clone());
    }
    let Some(config) = config else { return Ok(registry) };
    for (name, queue) in &config.queues {
        let in_code = registry.queue(name.as_str()).map(|(_, settings)| settings.clone());
        let settings = settings_of(queue, is_said(config, name, "slots"));
        registry.add_queue(name.clone(), settings.or(&in_code.unwrap_or_default()));
        match &queue.carrier {
            Some(carrier) => registry.carry(name.clone(), Some(carrier.as_str().into())),
            None if registry.declares(name) => {} // as the code says
            // The queue that is there unasked says nothing of itself.
            None if QUEUE.iter().any(|key| is_said(config, name, key)) => {
                registry.carry(name.clone(), None);
            }
            None => {}
        }
    }
    for (name, said) in &config.kinds {
        let in_code = registry.kind(name.as_str()).map(|kind| (**kind).clone());
        let kind = match (&said.runner, in_code) {
            (Runner::Code, Some(kind)) => overlaid(kind, said),
            (runner, _) => {
                made(name, said, handler_of(config, ["kinds", name.as_str()], runner, said.grace)?)
            }
        };
        registry.add(with_schema(kind, config, said)?);
    }
    check_schedules(config, &registry)?;
    Ok(registry)
}

/// Puts the consumers of both together.
pub(crate) fn consumers(
    code: &Code,
    config: Option<&Config>,
) -> Result<Vec<(Checked, BoxHandler)>, Error> {
    let said = |name: &str| config.and_then(|config| config.consumers.get(name));
    let mut all = Vec::new();
    for (name, consumer, handler) in &code.consumers {
        let consumer = match said(name) {
            Some(said) => said.over(consumer.clone()),
            None => consumer.clone(),
        };
        let checked = consumer.checked(name);
        let wrong = |source| Error::Consumer { consumer: name.clone(), source };
        all.push((checked.map_err(wrong)?, handler.clone()));
    }
    let Some(config) = config else { return Ok(all) };
    for (name, said) in config.consumers.iter().filter(|(_, said)| said.runner != Runner::Code) {
        let checked = said.declared().checked(name);
        let wrong = |bad: BadConsumer| {
            ConfigError::from(config.fault(&["consumers", name, bad.key], bad.message))
        };
        let handler = handler_of(config, ["consumers", name], &said.runner, said.grace)?;
        // Nobody leases messages: there is always a handler.
        if let Some(handler) = handler {
            all.push((checked.map_err(wrong)?, handler));
        }
    }
    Ok(all)
}

/// Judges what schedules submit, as if it were submitted now.
fn check_schedules(config: &Config, registry: &Registry) -> Result<(), ConfigError> {
    for (name, plan) in &config.schedules {
        let judged = validate(plan.task.clone(), registry, SystemClock.now());
        if let Some(wrong) = judged.err().and_then(|faults| faults.into_iter().next()) {
            let key = wrong.field.split('.').next().unwrap_or_default();
            let message = format!("{}: {}", wrong.field, wrong.message);
            return Err(config.fault(&["schedules", name, key], message).into());
        }
    }
    Ok(())
}

/// Returns the plans of the configuration.
pub(crate) fn plans(config: &Config) -> Vec<Plan> {
    config.schedules.values().cloned().collect()
}

/// Whether somebody said this of a queue; names with dots are quoted in keys.
fn is_said(config: &Config, queue: &QueueName, key: &str) -> bool {
    let keys = [format!("queues.{queue}.{key}"), format!("queues.{:?}.{key}", queue.as_str())];
    let mut origins = keys.iter().filter_map(|key| config.origin(key));
    origins.any(|origin| !origin.is_default())
}

/// What the configuration says of a queue; its default slots give way to those in the code.
fn settings_of(queue: &config::Queue, slots_said: bool) -> QueueSettings {
    QueueSettings {
        slots: slots_said.then_some(queue.slots),
        limit: queue.limit,
        rate: queue.rate,
        backlog: queue.backlog,
    }
}

/// A kind that the configuration alone describes; without a handler others run it.
fn made(name: &KindName, said: &config::Kind, handler: Option<BoxHandler>) -> Kind {
    Kind {
        queue: said.queue.clone(),
        retry: said.retry.clone(),
        on_error: config::rules_of(&said.on_error),
        timeout: Span(said.timeout),
        total_timeout: said.total_timeout.map(Span),
        grace: said.grace,
        handler,
        ..Kind::pulled(name.clone())
    }
}

/// A kind of the code, with what the configuration says laid over it.
fn overlaid(mut kind: Kind, said: &config::Kind) -> Kind {
    if said.is_set("queue") {
        kind.queue = said.queue.clone();
    }
    if said.is_set("retry") {
        kind.retry = said.retry.clone();
    }
    if said.is_set("on_error") {
        kind.on_error = config::rules_of(&said.on_error);
    }
    if said.is_set("timeout") {
        kind.timeout = Span(said.timeout);
    }
    if said.is_set("total_timeout") {
        kind.total_timeout = said.total_timeout.map(Span);
    }
    if said.is_set("grace") {
        kind.grace = said.grace;
    }
    kind
}

fn with_schema(kind: Kind, config: &Config, said: &config::Kind) -> Result<Kind, ConfigError> {
    let schema = schema_of(config, &kind.name, said)?;
    Ok(Kind { schema: schema.or(kind.schema), ..kind })
}

fn schema_of(
    config: &Config,
    name: &KindName,
    said: &config::Kind,
) -> Result<Option<Schema>, ConfigError> {
    let Some(schema) = &said.schema else { return Ok(None) };
    Schema::compile(&schema.document.to_string()).map(Some).map_err(|error| {
        let message = format!("{}: {error}", schema.path.display());
        config.fault(&["kinds", name.as_str(), "schema"], message).into()
    })
}

impl Config {
    /// Returns what is wrong although it reads well: schemas that do not compile, commands, secrets, keys
    /// and certificates that cannot be used. A service refuses to start with one.
    ///
    /// Reads files: call it where blocking is fine.
    pub fn check(&self) -> Result<(), ConfigError> {
        for (name, said) in &self.kinds {
            if said.runner != Runner::Code {
                handler_of(self, ["kinds", name.as_str()], &said.runner, said.grace)?;
            }
            schema_of(self, name, said)?;
        }
        for (name, said) in &self.consumers {
            if said.runner != Runner::Code {
                handler_of(self, ["consumers", name], &said.runner, said.grace)?;
            }
        }
        check_configured(self, Some(self.store.expose()))?;
        Guards::open(self).map(drop)
    }
}

fn handler_of(
    config: &Config,
    [table, name]: [&str; 2],
    runner: &Runner,
    grace: Duration,
) -> Result<Option<BoxHandler>, ConfigError> {
    let wrong = |key: &str, message: String| config.fault(&[table, name, key], message);
    match runner {
        // The configuration was read with the names of the kinds in the code.
        Runner::Code => Err(wrong("command", "nobody runs this".into()).into()),
        Runner::Pull => Ok(None),
        Runner::Command(_) if !exec::is_prepared() => {
            let why = "this program cannot run commands: \
                       call `longshore::exec::run_if_asked` first in `main`";
            Err(wrong("command", why.into()).into())
        }
        Runner::Command(said) => {
            let mut argv = said.argv.clone();
            if let Some(program) = argv.first_mut() {
                *program = said.program.display().to_string();
            }
            let default = CommandSpec::new(argv);
            let spec = CommandSpec {
                cwd: said.cwd.clone(),
                env: said.env.clone(),
                output: said.limits.output,
                memory: said.limits.memory,
                processes: said.limits.processes,
                grace,
                ..default
            };
            spec.check().map_err(|bad| wrong("command", bad.to_string()))?;
            Ok(Some(command(spec)))
        }
        Runner::Push(said) => {
            let secrets = said.secrets.iter().map(|secret| Secret::parse(secret.expose()));
            let secrets = secrets.collect::<Result<Vec<_>, _>>();
            let spec = PushSpec {
                url: said.url.expose().to_owned(),
                secrets: secrets.map_err(|bad| wrong("secret", bad.to_string()))?,
                headers: said
                    .headers
                    .iter()
                    .map(|(name, value)| (name.clone(), value.expose().to_owned()))
                    .collect(),
            };
            push(spec).map(Some).map_err(|bad| wrong("push", bad.to_string()).into())
        }
    }
}
