//! Secrets and addresses: texts that variables and files have a part in.

use super::files;
use super::origin::Origin;
use super::secret::{Address, Secret, interpolate};
use super::sources::Sources;
use reqwest::Url;
use std::path::Path;

/// Largest file with a secret.
const MAX_SECRET: u64 = 64 << 10;

/// Reads a secret: what `file` says if there is one, else `text` with its variables filled in.
pub(super) fn secret(text: &str, file: Option<&Path>, sources: &Sources) -> Result<Secret, String> {
    let text = match file {
        Some(file) => {
            let text = files::read(file, MAX_SECRET)
                .map_err(|why| format!("the secret's file {} {why}", file.display()))?;
            // The newline that every editor adds is not part of it.
            text.trim_end_matches(['\n', '\r']).to_owned()
        }
        None => interpolate(text, |name| sources.variable(name))?,
    };
    if text.is_empty() { Err("is an empty secret".into()) } else { Ok(Secret::new(text)) }
}

/// Reads an absolute `http` or `https` URL.
pub(super) fn url(text: &str, sources: &Sources) -> Result<Address, String> {
    let full = interpolate(text, |name| sources.variable(name))?;
    let shown = shown(text);
    let wrong = |why: &str| {
        format!(
            "must be an absolute URL such as \"https://billing.internal/tasks\": \"{shown}\" {why}"
        )
    };
    let url = Url::parse(&full).map_err(|why| match why.to_string() {
        why if why.starts_with("relative URL") => wrong("has no scheme"),
        why => wrong(&format!("is none ({why})")),
    })?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(wrong("is neither http nor https"));
    }
    if !url.has_host() {
        return Err(wrong("names no host"));
    }
    if url.fragment().is_some() {
        return Err(wrong("has a fragment (#…), which is never sent"));
    }
    Ok(Address::new(full, shown))
}

/// Hides the password of a URL that has one written into it.
pub(crate) fn shown(text: &str) -> String {
    let Some((scheme, rest)) = text.split_once("://") else { return text.to_owned() };
    let end = rest.find(['/', '?', '#']).unwrap_or(rest.len());
    // A password with one of these in it should have been escaped; it is hidden all the same.
    let end = match rest[end..].rfind('@') {
        Some(at) if !scheme.starts_with("http") => end + at + 1,
        _ => end,
    };
    let (authority, tail) = rest.split_at(end);
    match authority.rsplit_once('@') {
        Some((user, host)) => {
            let user = user.split_once(':').map_or(user, |(name, _)| name);
            format!("{scheme}://{user}:***@{host}{tail}")
        }
        None => text.to_owned(),
    }
}

/// Reads a store's address. A folder in a file is looked for from the file's own folder.
pub(super) fn store(text: &str, sources: &Sources, origin: &Origin) -> Result<Address, String> {
    let full = interpolate(text, |name| sources.variable(name))?;
    let shown = shown(text);
    match full.split_once(':') {
        Some(("embedded", "")) => Err("names no folder, such as \"embedded:./data\"".into()),
        Some(("embedded", folder)) => {
            let folder = sources.folder_of(origin).join(folder);
            let full = format!("embedded:{}", folder.display());
            let shown = if text.contains("${") { shown } else { full.clone() };
            Ok(Address::new(full, shown))
        }
        Some(("postgres" | "postgresql", _)) => Ok(Address::new(full, shown)),
        Some(_) => Err(format!(
            "\"{shown}\" is of no scheme that there is; use \"embedded:DIR\" or \"postgres://…\""
        )),
        None => Err(format!("\"{shown}\" must begin with its scheme, such as \"embedded:./data\"")),
    }
}

/// Reads a broker's address.
pub(super) fn broker(text: &str, sources: &Sources) -> Result<Address, String> {
    let full = interpolate(text, |name| sources.variable(name))?;
    let shown = shown(text);
    let Some((scheme, rest)) = full.split_once(':') else {
        return Err(format!(
            "\"{shown}\" must begin with its scheme, such as \"amqp://user@host:5672/%2f\""
        ));
    };
    match driver_of(scheme) {
        None => {
            let known: Vec<&str> = BROKERS.iter().map(|(scheme, _)| *scheme).collect();
            Err(format!(
                "\"{shown}\" is of no scheme that there is; there is: {}",
                known.join(", ")
            ))
        }
        Some("embedded") if !rest.is_empty() => {
            Err("names a place; write \"embedded:\", which is where the tasks are".into())
        }
        Some("embedded") => Ok(Address::new(full, shown)),
        Some(_) if Url::parse(&full).is_ok_and(|url| url.has_host()) => {
            Ok(Address::new(full, shown))
        }
        Some(_) => Err(format!("\"{shown}\" is no URL with a host")),
    }
}

/// The schemes of brokers, and the name of each one's driver.
const BROKERS: [(&str, &str); 3] =
    [("amqp", "rabbitmq"), ("amqps", "rabbitmq"), ("embedded", "embedded")];

/// Returns the name of a scheme's driver.
pub(super) fn driver_of(scheme: &str) -> Option<&'static str> {
    BROKERS.iter().find(|(known, _)| *known == scheme).map(|(_, driver)| *driver)
}

#[cfg(test)]
mod tests {
    use super::shown;

    #[test]
    fn the_password_of_a_url_is_not_shown() {
        assert_eq!(shown("https://me:pw@host/a@b"), "https://me:***@host/a@b");
        assert_eq!(shown("https://host/a@b"), "https://host/a@b");
        assert_eq!(shown("amqp://me:p/w?x@host/%2f"), "amqp://me:***@host/%2f", "not escaped");
    }
}
