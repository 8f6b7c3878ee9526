//! The fields of a task as a client sends them.
//!
//! All faults are found, not only the first: wrong types and unknown fields here, and with them
//! what [`validate`](longshore_runtime::Intake::validate) says of the rest.

use super::idempotency;
use super::object::{self, Object};
use super::query::unknown;
use super::rhythm::Rhythm;
use super::value::{self, Wrong};
use crate::problem::{NOT_AVAILABLE, Problem};
use bytes::Bytes;
use longshore_core::task::{OnConflict, Unique, UniqueWhile};
use longshore_core::{NewTask, Span, Valid};
use longshore_runtime::nearest::nearest;
use longshore_runtime::{FieldError, Registry, Submission};
use serde_json::value::RawValue;

/// Fields that can be given.
pub(crate) const FIELDS: [&str; 21] = [
    "kind",
    "type",
    "taskType",
    "payload",
    "id",
    "name",
    "queue",
    "priority",
    "run_at",
    "delay",
    "cron",
    "timezone",
    "max_attempts",
    "timeout",
    "total_timeout",
    "expires_in",
    "order_key",
    "unique",
    "idempotency_key",
    "tags",
    "headers",
];
/// Fields that are documented but not built yet.
const LATER: [&str; 4] = ["callback", "after", "group", "on_parent_failure"];
/// Fields of `unique`.
const UNIQUE: [&str; 3] = ["key", "while", "on_conflict"];
/// Lengths in characters that a name may have.
const NAME: std::ops::RangeInclusive<usize> = 2..=32;

/// What a client wants done, and what is wrong with how it said so.
#[derive(Debug, Default)]
pub(crate) struct Wish {
    pub(super) submission: Submission,
    pub(super) faults: Vec<FieldError>,
    /// When it is to be done again and again.
    pub(super) rhythm: Rhythm,
    place: Place,
    /// What the client called `kind`, once it gave one.
    kind_as: Option<&'static str>,
    /// Whether a field of a later version was among them.
    later: bool,
    /// The name that an item of a batch gives itself.
    key: Option<String>,
}

/// Where a wish was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(crate) enum Place {
    /// It is the body of a request.
    #[default]
    Alone,
    /// It is an item of a batch.
    Batch,
    /// It says what a schedule submits, and when.
    Schedule,
}

impl Place {
    /// Whether a field may be given there.
    fn has(self, field: &str) -> bool {
        match self {
            Self::Schedule => super::rhythm::FIELDS.contains(&field),
            Self::Alone | Self::Batch => FIELDS.contains(&field),
        }
    }

    fn fields(self) -> &'static [&'static str] {
        match self {
            Self::Schedule => &super::rhythm::FIELDS,
            Self::Alone | Self::Batch => &FIELDS,
        }
    }
}

impl Wish {
    /// Reads a body. An error means that it is no JSON object at all.
    pub(crate) fn read(body: &Bytes, registry: &Registry, place: Place) -> Result<Self, Problem> {
        let Object { fields, repeated } = object::read(body)?;
        let mut wish = Self { place, ..Self::default() };
        for name in repeated {
            wish.fault(name, "is given more than once");
        }
        for (name, raw) in fields {
            wish.take(&name, raw, body);
        }
        wish.kind_by_name(registry);
        if place == Place::Batch && wish.rhythm.is_given() {
            wish.fault("cron", "does not go into a batch; send a request of its own");
        }
        if place == Place::Alone && wish.key.is_some() {
            wish.fault("idempotency_key", "belongs into a batch; send the Idempotency-Key header");
        }
        Ok(wish)
    }

    /// Returns the name that an item of a batch gives itself, if it is usable.
    pub(crate) fn own_key(&self) -> Option<&str> {
        self.key.as_deref()
    }

    pub(super) fn fault(&mut self, field: impl Into<String>, wrong: impl Into<Wrong>) {
        self.faults.push(FieldError::new(field, wrong));
    }

    pub(super) fn kept<T>(&mut self, field: &str, read: Result<T, Wrong>) -> Option<T> {
        match read {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.fault(field, wrong);
                None
            }
        }
    }

    fn take(&mut self, name: &str, raw: &RawValue, body: &Bytes) {
        let known = self.place.has(name);
        if !known && !LATER.contains(&name) {
            let near = nearest(name, self.place.fields().iter().copied().chain(LATER));
            return self.fault(name, unknown("field", &near));
        }
        if value::is_null(raw) && name != "payload" {
            return;
        }
        if !known {
            self.later = true;
            return self.fault(name, NOT_AVAILABLE);
        }
        match name {
            "kind" => self.kind("kind", raw),
            "type" => self.kind("type", raw),
            "taskType" => self.kind("taskType", raw),
            "payload" => self.submission.payload = self.kept(name, value::json(raw, body)),
            "id" => self.submission.id = self.kept(name, value::id(raw)),
            "name" => self.submission.name = self.kept(name, value::text(raw)),
            "queue" => self.submission.queue = self.kept(name, value::text(raw)),
            "priority" => self.submission.priority = self.kept(name, value::whole(raw)),
            "run_at" => self.submission.run_at = self.kept(name, value::time(raw)),
            "delay" => self.submission.delay = self.kept(name, value::span(raw)),
            "max_attempts" => self.submission.max_attempts = self.kept(name, value::whole(raw)),
            "timeout" => self.submission.timeout = self.kept(name, value::span(raw)),
            "total_timeout" => self.submission.total_timeout = self.kept(name, value::span(raw)),
            "expires_in" => self.submission.expires_in = self.kept(name, value::span(raw)),
            "order_key" => self.submission.order_key = self.kept(name, value::text(raw)),
            "unique" => self.unique(raw),
            "idempotency_key" => self.key(raw),
            "cron" | "timezone" | "missed" | "paused" => self.rhythm(name, raw),
            "tags" => self.tags(raw),
            _ => self.headers(raw),
        }
    }

    fn kind(&mut self, name: &'static str, raw: &RawValue) {
        let read = value::text(raw);
        let before = self.kind_as.replace(name);
        let Some(kind) = self.kept(name, read) else { return };
        match before {
            Some(other) if !self.submission.kind.is_empty() && self.submission.kind != kind => {
                self.fault(name, format!("differs from {other}; give one of them"));
            }
            _ => self.submission.kind = kind,
        }
    }

    /// Without a kind, a name that is a known kind stands for it.
    fn kind_by_name(&mut self, registry: &Registry) {
        if self.kind_as.is_some() {
            return;
        }
        let named = self.submission.name.as_deref().and_then(|name| registry.kind(name));
        if let Some(kind) = named {
            self.submission.kind = kind.name.to_string();
            // A kind may be longer than a name.
            self.submission.name.take_if(|name| !NAME.contains(&name.chars().count()));
        }
    }

    fn unique(&mut self, raw: &RawValue) {
        let Some(Object { fields, repeated }) = self.kept("unique", value::object(raw)) else {
            return;
        };
        for name in repeated {
            self.fault(format!("unique.{name}"), "is given more than once");
        }
        let (mut key, mut hold, mut on_conflict) =
            (None, UniqueWhile::Active, OnConflict::Existing);
        for (name, raw) in fields {
            let at = format!("unique.{name}");
            match &*name {
                known if UNIQUE.contains(&known) && value::is_null(raw) => {}
                "key" => key = Some(self.kept(&at, value::text(raw)).unwrap_or_default()),
                "while" => hold = self.kept(&at, hold_of(raw)).unwrap_or(hold),
                "on_conflict" => {
                    on_conflict = self.kept(&at, conflict_of(raw)).unwrap_or(on_conflict);
                }
                other => self.fault(&at, unknown("field", &nearest(other, UNIQUE))),
            }
        }
        match key {
            Some(key) => self.submission.unique = Some(Unique { key, hold, on_conflict }),
            None => self.fault("unique.key", "is required"),
        }
    }

    /// A key of an item. Which body it stands for is known to whoever reads the batch.
    fn key(&mut self, raw: &RawValue) {
        match value::text(raw) {
            Ok(key) if idempotency::is_key(&key) => self.key = Some(key),
            Ok(_) => self.fault("idempotency_key", "must have 1 to 128 visible ASCII characters"),
            Err(wrong) => self.fault("idempotency_key", wrong),
        }
    }

    fn tags(&mut self, raw: &RawValue) {
        let Some(items) = self.kept("tags", value::items(raw)) else { return };
        for (i, item) in items.into_iter().enumerate() {
            match value::text(item) {
                Ok(tag) => self.submission.tags.push(tag),
                Err(wrong) => self.fault(format!("tags[{i}]"), wrong),
            }
        }
    }

    fn headers(&mut self, raw: &RawValue) {
        let read = value::object(raw).map_err(|_| "must be an object of at most 32 strings".into());
        let Some(Object { fields, repeated }) = self.kept("headers", read) else { return };
        for name in repeated {
            self.fault(format!("headers.{name}"), "is given more than once");
        }
        for (name, raw) in fields {
            match value::text(raw) {
                Ok(text) => self.submission.headers.push((name.into_owned(), text)),
                Err(wrong) => self.fault(format!("headers.{name}"), wrong),
            }
        }
    }

    /// Hands on what was read, or a problem with everything that is wrong; `judge` is asked for
    /// the rest only if something is.
    pub(crate) fn submission(
        mut self,
        judge: impl FnOnce(Submission) -> Result<Valid<NewTask>, Vec<FieldError>>,
    ) -> Result<(Submission, KindAs), Problem> {
        if self.faults.is_empty() {
            let kind_as = self.kind_as();
            return Ok((self.submission, kind_as));
        }
        let submission = std::mem::take(&mut self.submission);
        let unread_kind = self.kind_as.is_some() && submission.kind.is_empty();
        let judged = judge(submission).err().unwrap_or_default();
        Err(self
            .refusal(judged.into_iter().filter(|fault| !(unread_kind && fault.field == "kind"))))
    }

    /// Returns what the client called `kind`.
    pub(super) fn kind_as(&self) -> KindAs {
        KindAs(self.kind_as.unwrap_or("kind"))
    }

    /// Makes the problem of what is wrong, with what a judge says of the rest.
    pub(super) fn refusal(self, judged: impl IntoIterator<Item = FieldError>) -> Problem {
        let kind_as = self.kind_as();
        let mut faults = self.faults;
        for fault in judged {
            if faults.iter().all(|known| known.field != fault.field) {
                faults.push(fault);
            }
        }
        let faults = kind_as.rename(faults);
        if self.later { Problem::not_available(faults) } else { Problem::fields(faults) }
    }
}

/// What the client called `kind`.
#[derive(Debug, Clone, Copy)]
pub(crate) struct KindAs(&'static str);

impl KindAs {
    /// Names the field as the client wrote it.
    pub(crate) fn rename(self, mut faults: Vec<FieldError>) -> Vec<FieldError> {
        for fault in faults.iter_mut().filter(|fault| fault.field == "kind") {
            fault.field = self.0.into();
        }
        faults
    }
}

fn hold_of(raw: &RawValue) -> Result<UniqueWhile, Wrong> {
    match value::text(raw).as_deref() {
        Ok("queued") => Ok(UniqueWhile::Queued),
        Ok("active") => Ok(UniqueWhile::Active),
        _ => value::span(raw)
            .map(|Span(window)| UniqueWhile::Window(window))
            .map_err(|_| "must be \"queued\", \"active\", or a duration such as \"1h\"".to_owned()),
    }
}

fn conflict_of(raw: &RawValue) -> Result<OnConflict, Wrong> {
    match value::text(raw).as_deref() {
        Ok("existing") => Ok(OnConflict::Existing),
        Ok("reject") => Ok(OnConflict::Reject),
        Ok("replace") => Ok(OnConflict::Replace),
        _ => Err("must be \"existing\", \"reject\" or \"replace\"".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use longshore_core::KindName;
    use longshore_runtime::Kind;
    use longshore_runtime::handler::nothing;

    fn registry() -> Registry {
        let mut registry = Registry::default();
        registry.add(Kind::new(KindName::new("hello").unwrap(), nothing()));
        registry
    }

    fn read(body: &str) -> Result<Submission, (u32, Vec<FieldError>)> {
        let body = Bytes::copy_from_slice(body.as_bytes());
        let judge = |_| Err(Vec::new());
        let wish = Wish::read(&body, &registry(), Place::Alone).unwrap();
        let faults = wish.faults.clone();
        wish.submission(judge)
            .map(|(submission, _)| submission)
            .map_err(|problem| (problem.code().number, faults))
    }

    fn fields(body: &str) -> Vec<String> {
        read(body).unwrap_err().1.into_iter().map(|fault| fault.field).collect()
    }

    #[test]
    fn every_field_of_this_version_is_read() {
        let wish = read(
            r#"{"kind":"hello","payload":{"n": 1.00},"id":"0198b2f0-5a1c-7c3e-9f3a-2b1d4c5e6f70",
                "name":"first","queue":"default","priority":9,"run_at":"2026-11-20T09:00:00Z",
                "max_attempts":2,"timeout":"2s","total_timeout":"5s","expires_in":60,"tags":["a","b"],
                "headers":{"team":"x"}}"#,
        )
        .unwrap();
        assert_eq!(wish.kind, "hello");
        assert_eq!(wish.payload.unwrap().as_str(), r#"{"n": 1.00}"#);
        assert_eq!((wish.priority, wish.max_attempts), (Some(9), Some(2)));
        assert_eq!(wish.tags, ["a", "b"]);
        assert_eq!(wish.headers, [("team".to_owned(), "x".to_owned())]);
        assert_eq!(wish.total_timeout.unwrap().to_string(), "5s");
        let lane = read(r#"{"kind":"hello","order_key":"customer-7"}"#).unwrap();
        assert_eq!(lane.order_key.as_deref(), Some("customer-7"));
        assert_eq!(wish.expires_in.unwrap().as_millis(), 60_000);
        assert_eq!(
            read(r#"{"kind":"hello","delay":"1h30m"}"#).unwrap().delay.unwrap().to_string(),
            "1h30m"
        );
    }

    #[test]
    fn null_is_the_same_as_nothing_except_as_a_payload() {
        let wish = read(r#"{"kind":"hello","queue":null,"tags":null,"cron":null,"payload":null}"#);
        let wish = wish.unwrap();
        assert_eq!((wish.queue, wish.payload.unwrap().as_str()), (None, "null"));
    }

    #[test]
    fn all_faults_are_found_at_once() {
        let found = fields(
            r#"{"kind":"hello","priority":"4","foo":1,"tags":["a",2],"headers":{"h":3},
                "timeout":"soon","id":7,"kind":"hello"}"#,
        );
        assert_eq!(found, ["kind", "priority", "foo", "tags[1]", "headers.h", "timeout", "id"]);
    }

    #[test]
    fn an_unknown_field_is_named_with_its_neighbour() {
        let (code, faults) = read(r#"{"kind":"hello","priorty":4}"#).unwrap_err();
        assert_eq!(code, 40001);
        assert_eq!(faults[0].message, "is not a known field; did you mean priority?");
    }

    #[test]
    fn fields_of_later_versions_are_not_available() {
        for field in LATER {
            let (code, faults) = read(&format!(r#"{{"kind":"hello","{field}":"x"}}"#)).unwrap_err();
            assert_eq!((code, faults[0].field.as_str()), (40010, field));
        }
    }

    #[test]
    fn what_is_not_available_is_said_first() {
        let body = Bytes::from_static(br#"{"kind":"hello","priority":"x","callback":{}}"#);
        let wish = Wish::read(&body, &registry(), Place::Alone).unwrap();
        let problem = wish.submission(|_| Err(Vec::new())).unwrap_err();
        let shown: serde_json::Value = serde_json::from_slice(&problem.body("", "")).unwrap();
        assert!(shown["message"].as_str().unwrap().starts_with("callback: "), "{shown}");
        assert_eq!(shown["errors"][1]["field"], "priority");
    }

    #[test]
    fn a_unique_key_has_a_time_and_a_way_to_settle() {
        let unique = |json: &str| read(&format!(r#"{{"kind":"hello","unique":{json}}}"#));
        let of = |json: &str| unique(json).unwrap().unique.unwrap();
        let plain = of(r#"{"key":"k","while":null}"#);
        assert_eq!((plain.hold, plain.on_conflict), (UniqueWhile::Active, OnConflict::Existing));
        let all = of(r#"{"key":"k","while":"1h","on_conflict":"replace"}"#);
        let hour = std::time::Duration::from_secs(3_600);
        assert_eq!((all.hold, all.on_conflict), (UniqueWhile::Window(hour), OnConflict::Replace));
        assert_eq!(of(r#"{"key":"k","while":"queued"}"#).hold, UniqueWhile::Queued);
        for (json, field) in [
            ("{}", "unique.key"),
            (r#"{"key":null}"#, "unique.key"),
            (r#"{"key":7}"#, "unique.key"),
            (r#"{"key":"k","while":"soon"}"#, "unique.while"),
            (r#"{"key":"k","on_conflict":"ignore"}"#, "unique.on_conflict"),
            (r#"{"key":"k","kye":1}"#, "unique.kye"),
            (r#"{"key":"k","key":"k"}"#, "unique.key"),
            ("[]", "unique"),
            (r#""k""#, "unique"),
        ] {
            let (code, faults) = unique(json).unwrap_err();
            assert_eq!((code, faults[0].field.as_str()), (40001, field), "{json}");
        }
    }

    #[test]
    fn an_idempotency_key_belongs_into_a_batch() {
        let body = Bytes::from_static(br#"{"kind":"hello","idempotency_key":"k"}"#);
        let item = Wish::read(&body, &registry(), Place::Batch).unwrap();
        assert_eq!(item.own_key(), Some("k"));
        assert_eq!(fields(r#"{"kind":"hello","idempotency_key":"k"}"#), ["idempotency_key"]);
        assert_eq!(fields(r#"{"kind":"hello","idempotency_key":"a b"}"#), ["idempotency_key"]);
    }

    #[test]
    fn the_kind_has_two_other_names() {
        for name in ["kind", "type", "taskType"] {
            assert_eq!(read(&format!(r#"{{"{name}":"hello"}}"#)).unwrap().kind, "hello");
        }
        assert_eq!(read(r#"{"kind":"hello","type":"hello"}"#).unwrap().kind, "hello");
        assert_eq!(fields(r#"{"kind":"hello","type":"other"}"#), ["type"]);
    }

    #[test]
    fn a_name_that_is_a_known_kind_stands_for_it() {
        let wish = read(r#"{"name":"hello"}"#).unwrap();
        assert_eq!((wish.kind.as_str(), wish.name.as_deref()), ("hello", Some("hello")));
        assert_eq!(read(r#"{"name":"other"}"#).unwrap().kind, "");
    }

    #[test]
    fn what_the_judge_says_is_added_unless_it_is_known() {
        let body = Bytes::from_static(br#"{"type":5,"priority":"x"}"#);
        let judge = |_| {
            Err(vec![
                FieldError::new("kind", "is required"),
                FieldError::new("priority", "?"),
                FieldError::new("queue", "unknown"),
            ])
        };
        let wish = Wish::read(&body, &registry(), Place::Alone).unwrap();
        let problem = wish.submission(judge).unwrap_err();
        let body: serde_json::Value = serde_json::from_slice(&problem.body("", "")).unwrap();
        let fields: Vec<_> =
            body["errors"].as_array().unwrap().iter().map(|e| &e["field"]).collect();
        assert_eq!(fields, ["type", "priority", "queue"]);
    }
}
