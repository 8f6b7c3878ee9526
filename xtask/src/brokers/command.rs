//! `up`, `down` and `status`.

use super::compose::Compose;
use super::engine::{ENGINES, Engine};
use super::instance::{By, Instance};
use super::process::{Process, detached, until};
use crate::{Error, cargo, needs};
use std::fs::File;
use std::net::TcpListener;
use std::path::PathBuf;
use std::time::Duration;

/// Names a folder for the servers, instead of the one under the target folder.
const VARIABLE: &str = "LONGSHORE_BROKERS_DIR";

/// How long a server may take until it can be used.
const START: Duration = Duration::from_secs(180);

/// What is to be done, and with which engines.
pub(crate) struct Action {
    verb: Verb,
    engines: Vec<&'static Engine>,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Verb {
    Up { install: bool },
    Down { purge: bool },
    Status,
}

impl Action {
    /// Reads the arguments after `brokers`.
    pub(crate) fn parse(args: &[String]) -> Result<Self, Error> {
        let wrong = |what: String| format!("brokers: {what}\n\n{}", crate::USAGE);
        let (verb, rest) = args.split_first().ok_or_else(|| wrong("up, down or status".into()))?;
        let mut verb = match verb.as_str() {
            "up" => Verb::Up { install: false },
            "down" => Verb::Down { purge: false },
            "status" => Verb::Status,
            other => return Err(wrong(format!("no command {other:?}")).into()),
        };
        let mut engines = Vec::new();
        for arg in rest {
            match (&mut verb, arg.as_str()) {
                (Verb::Up { install }, "--install") => *install = true,
                (Verb::Down { purge }, "--purge") => *purge = true,
                (_, name) => match ENGINES.iter().find(|engine| engine.name == name) {
                    Some(engine) => engines.push(engine),
                    None => return Err(wrong(format!("no engine or flag {name:?}")).into()),
                },
            }
        }
        if engines.is_empty() {
            engines.extend(ENGINES);
        }
        Ok(Self { verb, engines })
    }
}

/// Does it, one engine after the other; `false` if it did not work for some of them.
pub(crate) fn run(action: &Action) -> Result<bool, Error> {
    let root = match std::env::var_os(VARIABLE) {
        Some(folder) => std::path::absolute(folder)?,
        None => cargo::target()?.join("brokers"),
    };
    std::fs::create_dir_all(&root)?;
    let lock = File::create(root.join("lock"))?;
    lock.lock()?; // two at once would start two servers on the same data
    let mut all = true;
    for engine in &action.engines {
        let server = Server { engine, folder: root.join(engine.name), compose: Compose::of(&root) };
        let done = match action.verb {
            Verb::Up { install } => server.up(install),
            Verb::Down { purge } => server.down(purge),
            Verb::Status => server.status(),
        };
        if let Err(error) = done {
            eprintln!("{}: {error}", engine.name);
            all = false;
        }
    }
    Ok(all)
}

/// The server of one engine, whether it runs or not.
struct Server {
    engine: &'static Engine,
    folder: PathBuf,
    compose: Compose,
}

impl Server {
    /// Starts it unless it runs; prints its address.
    fn up(&self, install: bool) -> Result<(), Error> {
        let engine = self.engine;
        let instance = match Instance::read(&self.folder)? {
            Some(instance) if self.is_up(&instance)? => instance,
            known => self.start(known, install)?,
        };
        let url = (engine.url)(instance.port);
        println!("{:<10} {url}", engine.name);
        eprintln!("  tests use it after: export {}={url}", engine.variable);
        Ok(())
    }

    /// Stops it, if it was started here.
    fn down(&self, purge: bool) -> Result<(), Error> {
        let name = self.engine.name;
        let Some(mut instance) = Instance::read(&self.folder)? else {
            println!("{name:<10} never started");
            return Ok(());
        };
        match instance.by {
            By::Process(process) => {
                if let Some(process) = process {
                    process.stop(self.engine.stop)?;
                }
                instance.by = By::Process(None);
            }
            By::Docker => self.compose.down(self.engine, purge)?,
        }
        if purge {
            std::fs::remove_dir_all(&self.folder)?;
            println!("{name:<10} stopped, its data removed");
        } else {
            instance.write(&self.folder)?;
            println!("{name:<10} stopped, its data kept");
        }
        Ok(())
    }

    /// Prints how it is.
    fn status(&self) -> Result<(), Error> {
        let (state, url, version) = match Instance::read(&self.folder)? {
            Some(instance) => {
                let state = match self.runs(&instance) {
                    false => "stopped",
                    true if self.is_ready(&instance) => "running",
                    true => "not answering",
                };
                (state, (self.engine.url)(instance.port), instance.version)
            }
            None => match (self.engine.installed)() {
                Ok(installed) => ("never started", "-".to_owned(), installed.version()?),
                Err(_) => ("not installed", "-".to_owned(), "-".to_owned()),
            },
        };
        println!("{:<10} {state:<14} {url:<50} {version}", self.engine.name);
        Ok(())
    }

    /// Starts it in the way that its data were made, or in the first that is possible here.
    fn start(&self, known: Option<Instance>, install: bool) -> Result<Instance, Error> {
        if install {
            needs::install_packages(&[&self.engine.need])?;
        }
        if known.as_ref().is_some_and(|known| known.by == By::Docker) {
            return self.start_by_docker(known);
        }
        match self.start_process(known.as_ref()) {
            Err(StartError::Missing(_)) if known.is_none() && Compose::is_there() => {
                self.start_by_docker(known)
            }
            Err(StartError::Missing(why)) => Err(self.advice(&why.to_string()).into()),
            Err(StartError::Failed(why)) => Err(why),
            Ok(instance) => Ok(instance),
        }
    }

    fn start_process(&self, known: Option<&Instance>) -> Result<Instance, StartError> {
        if !cfg!(target_os = "linux") {
            return Err(StartError::Missing("only Linux runs what is installed".into()));
        }
        let installed = (self.engine.installed)().map_err(StartError::Missing)?;
        let mut instance = Instance {
            port: self.port(known)?,
            version: installed.version()?,
            by: By::Process(None),
        };
        instance.write(&self.folder)?; // before anything else: what is noted can be removed
        installed.make(&self.folder, instance.port)?;
        let log = File::create(self.folder.join("log")).map_err(Error::from)?;
        let mut child = detached(&installed.serve(&self.folder, instance.port)?)
            .stdout(log.try_clone().map_err(Error::from)?)
            .stderr(log)
            .spawn()
            .map_err(Error::from)?;
        let process = Process::of(child.id());
        instance.by = By::Process(process);
        instance.write(&self.folder)?;
        let mut ended = false;
        let came = until(START, || {
            ended = child.try_wait().is_ok_and(|status| status.is_some());
            ended || installed.is_ready(instance.port)
        });
        if came && !ended {
            return Ok(instance);
        }
        if let Some(process) = process {
            process.stop(self.engine.stop)?;
        }
        Err(StartError::Failed(self.did_not_start().into()))
    }

    fn start_by_docker(&self, known: Option<Instance>) -> Result<Instance, Error> {
        let image = self.compose.image(self.engine)?;
        let version = image.rsplit(':').next().unwrap_or_default().to_owned();
        let instance = Instance { port: self.port(known.as_ref())?, version, by: By::Docker };
        instance.write(&self.folder)?;
        self.compose.up(self.engine, instance.port)?;
        Ok(instance)
    }

    /// Returns the port that it had, if nobody took it; so its address stays the same.
    fn port(&self, known: Option<&Instance>) -> Result<u16, Error> {
        let is_free = |port: &u16| TcpListener::bind(("127.0.0.1", *port)).is_ok();
        match known.map(|known| known.port).filter(is_free) {
            Some(port) => Ok(port),
            None => Ok(longshore_servers::free_port()?),
        }
    }

    fn runs(&self, instance: &Instance) -> bool {
        match instance.by {
            By::Process(process) => process.is_some_and(Process::is_alive),
            By::Docker => self.compose.is_running(self.engine),
        }
    }

    fn is_ready(&self, instance: &Instance) -> bool {
        match instance.by {
            By::Process(_) => {
                (self.engine.installed)().is_ok_and(|installed| installed.is_ready(instance.port))
            }
            By::Docker => self.compose.is_running(self.engine),
        }
    }

    /// Waits until it can be used, if it runs; `false` if it does not, or ends meanwhile.
    fn is_up(&self, instance: &Instance) -> Result<bool, Error> {
        let mut runs = false;
        let settled = until(START, || {
            runs = self.runs(instance);
            !runs || self.is_ready(instance)
        });
        if settled {
            return Ok(runs);
        }
        let log = self.folder.join("log");
        Err(format!("runs, but did not answer for {START:?}; its log is {}", log.display()).into())
    }

    fn did_not_start(&self) -> String {
        let log = self.folder.join("log");
        let text = std::fs::read_to_string(&log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        format!(
            "did not start; the end of {}:\n{}\n\
             If another version made its data: cargo xtask brokers down --purge {}",
            log.display(),
            lines[lines.len().saturating_sub(5)..].join("\n"),
            self.engine.name
        )
    }

    /// What a person can do where it cannot be started.
    fn advice(&self, why: &str) -> String {
        let packages = self.engine.need.packages.join(" ");
        format!(
            "{why}, and docker compose does not answer. One of these helps:\n  \
             cargo xtask brokers up --install {name}   (Debian, as root)\n  \
             apt-get install {packages}\n  \
             starting docker, with its compose plugin: deploy/compose.yaml is for it\n  \
             {variable}=ADDRESS, of a server that is there: the tests take it as it is",
            name = self.engine.name,
            variable = self.engine.variable,
        )
    }
}

/// Why a process was not started.
enum StartError {
    /// Something is not there: another way may be tried.
    Missing(Error),
    /// It was tried, and failed.
    Failed(Error),
}

impl From<Error> for StartError {
    fn from(error: Error) -> Self {
        Self::Failed(error)
    }
}

#[cfg(test)]
mod tests {
    use super::{Action, Compose, ENGINES, Server, Verb};

    fn parse(line: &str) -> Result<Action, crate::Error> {
        let args: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        Action::parse(&args)
    }

    #[test]
    fn without_a_name_every_engine_is_meant() {
        let action = parse("up --install").unwrap();
        assert_eq!(action.verb, Verb::Up { install: true });
        assert_eq!(action.engines.len(), ENGINES.len());
        let action = parse("down postgres --purge").unwrap();
        assert_eq!(action.verb, Verb::Down { purge: true });
        assert_eq!(action.engines.len(), 1);
    }

    #[test]
    fn a_flag_of_another_verb_is_refused() {
        for line in ["", "start", "up --purge", "down --install", "status --purge", "up oracle"] {
            let error = parse(line).err().unwrap().to_string();
            assert!(error.contains("usage: cargo xtask"), "{line}: {error}");
        }
    }

    #[test]
    fn whoever_has_nothing_is_told_every_way() {
        for engine in ENGINES {
            let folder = std::path::PathBuf::from("/nowhere").join(engine.name);
            let compose = Compose::of(&folder);
            let advice = Server { engine, folder, compose }.advice("it is not installed");
            assert!(advice.starts_with("it is not installed, and docker"), "{advice}");
            for way in ["--install", "apt-get install", "deploy/compose.yaml", engine.variable] {
                assert!(advice.contains(way), "{way}: {advice}");
            }
        }
    }
}
