//! Where a configuration is taken from. Made once at start; each reload reads the same again.

use super::block::Block;
use super::build;
use super::environment;
use super::fault::{ConfigError, Fault};
use super::files::FILE_NAMES;
use super::flags::Flags;
use super::model::Config;
use super::node::Node;
use super::origin::Origin;
use super::prints::Prints;
use super::reader::Reader;
use longshore_core::KindName;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::path::{Path, PathBuf};

/// Where a configuration is taken from: defaults, then a file, the environment, and flags.
///
/// ```
/// use longshore::config::{Flags, Sources};
/// let config = Sources::nowhere()
///     .env([("LONGSHORE__QUEUES__DEFAULT__SLOTS", "8")])
///     .flags(Flags::default().listen("127.0.0.1:0".parse().unwrap()))
///     .load()?;
/// assert_eq!(config.queues["default"].slots, 8);
/// assert_eq!(config.origin("server.listen").unwrap().to_string(), "flag --listen");
/// # Ok::<(), longshore::config::ConfigError>(())
/// ```
#[derive(Clone, Default)]
pub struct Sources {
    file: Option<PathBuf>,
    folder: Option<PathBuf>,
    env: BTreeMap<String, String>,
    unreadable: Vec<String>,
    flags: Flags,
    coded: BTreeSet<KindName>,
    consumers: BTreeSet<String>,
    brokers: BTreeSet<String>,
}

impl Sources {
    /// Takes the working folder's file, if it has one, and the environment of this process.
    pub fn of_process() -> Self {
        let mut sources = Self { folder: Some(PathBuf::new()), ..Self::default() };
        for (name, value) in std::env::vars_os() {
            match (name.into_string(), value.into_string()) {
                (Ok(name), Ok(value)) => {
                    sources.env.insert(name, value);
                }
                (Ok(name), Err(_)) => sources.unreadable.push(name),
                (Err(_), _) => {}
            }
        }
        sources
    }

    /// Takes no file and no environment: the defaults alone.
    pub fn nowhere() -> Self {
        Self::default()
    }

    /// Takes this file, and looks for no other. Paths in it are looked for from its folder.
    pub fn file(mut self, path: impl Into<PathBuf>) -> Self {
        self.file = Some(path.into());
        self
    }

    /// Looks for `longshore.yaml`, `.yml` or `.toml` in this folder; it need not have one. Paths
    /// in variables are looked for from here too.
    pub fn folder(mut self, folder: impl Into<PathBuf>) -> Self {
        self.folder = Some(folder.into());
        self
    }

    /// Takes these variables for the environment.
    pub fn env<N: Into<String>, V: Into<String>>(
        mut self,
        variables: impl IntoIterator<Item = (N, V)>,
    ) -> Self {
        self.env = variables.into_iter().map(|(name, value)| (name.into(), value.into())).collect();
        self.unreadable.clear();
        self
    }

    /// Lays these flags over everything else.
    pub fn flags(mut self, flags: Flags) -> Self {
        self.flags = flags;
        self
    }

    /// Names the kinds that the program has handlers for: of them the configuration may set the
    /// knobs, but not who runs them.
    pub fn kinds_in_code(mut self, kinds: impl IntoIterator<Item = KindName>) -> Self {
        self.coded = kinds.into_iter().collect();
        self
    }

    /// Names the consumers that the program has handlers for: of them the configuration may set the knobs.
    pub fn consumers_in_code<N: Into<String>>(
        mut self,
        consumers: impl IntoIterator<Item = N>,
    ) -> Self {
        self.consumers = consumers.into_iter().map(Into::into).collect();
        self
    }

    /// Names the brokers that the program connects to: consumers may name them too.
    pub fn brokers_in_code<N: Into<String>>(
        mut self,
        brokers: impl IntoIterator<Item = N>,
    ) -> Self {
        self.brokers = brokers.into_iter().map(Into::into).collect();
        self
    }

    /// Reads everything. One fault refuses all of it; all faults are told.
    ///
    /// Reads files: call it where blocking is fine.
    pub fn load(&self) -> Result<Config, ConfigError> {
        let file = self.find().map_err(ConfigError::new)?;
        let mut files = Prints::default();
        for path in self.candidates(file.as_deref()) {
            files.note(&path);
        }
        let mut root = match &file {
            Some(path) => super::files::parse(path).map_err(ConfigError::new)?,
            None => Node::empty(Origin::Default),
        };
        let mut faults = Vec::new();
        for name in self.unreadable.iter().filter(|name| environment::is_ours(name)) {
            let origin = Origin::Env(name.as_str().into());
            faults.push(Fault { key: String::new(), origin, message: "is not UTF-8".into() });
        }
        environment::lay(&mut root, &self.env, &mut faults);
        self.flags.lay(&mut root);
        let mut reader = Reader::new(self, files, faults);
        let block: Block = reader.document(&root);
        build::config(&block, reader, file)
    }

    fn find(&self) -> Result<Option<PathBuf>, Vec<Fault>> {
        match (&self.file, &self.folder) {
            (Some(file), _) => Ok(Some(file.clone())),
            (None, Some(folder)) => super::files::find(folder).map_err(|fault| vec![fault]),
            (None, None) => Ok(None),
        }
    }

    /// Returns the files whose coming and going makes another configuration.
    fn candidates(&self, found: Option<&Path>) -> Vec<PathBuf> {
        let folder = self.folder.as_deref().filter(|_| self.file.is_none());
        let looked_for =
            folder.into_iter().flat_map(|folder| FILE_NAMES.map(|name| folder.join(name)));
        looked_for.chain(found.map(Path::to_owned)).collect()
    }

    /// Returns the folder that paths of this origin are looked for from: the file's own, else the
    /// working folder.
    pub(super) fn folder_of(&self, origin: &Origin) -> PathBuf {
        let folder = match origin {
            Origin::File { file, .. } => file.parent(),
            _ => self.folder.as_deref(),
        };
        folder.unwrap_or(Path::new("")).to_owned()
    }

    pub(super) fn variable(&self, name: &str) -> Option<&str> {
        self.env.get(name).map(String::as_str)
    }

    /// Whether the program has a handler for this consumer.
    pub(super) fn has_consumer_in_code(&self, name: &str) -> bool {
        self.consumers.contains(name)
    }

    /// The brokers that the program connects to.
    pub(super) fn coded_brokers(&self) -> impl Iterator<Item = &str> {
        self.brokers.iter().map(String::as_str)
    }

    /// Whether the program has a handler for this kind.
    pub(super) fn has_in_code(&self, kind: &str) -> bool {
        self.coded.contains(kind)
    }
}

impl fmt::Debug for Sources {
    /// Leaves out the environment: it has secrets.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Sources")
            .field("file", &self.file)
            .field("folder", &self.folder)
            .field("flags", &self.flags)
            .field("kinds_in_code", &self.coded)
            .finish_non_exhaustive()
    }
}
