//! The texts that the server brings along: product docs and error pages, as HTML.
//!
//! Everything comes from the binary; no script runs and nothing is loaded from elsewhere.

use crate::codes::Code;
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd, html};

/// What a page is for. Each is read in another mood, so they are kept apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Sort {
    /// To learn, from top to bottom.
    Tutorial,
    /// To do one thing.
    HowTo,
    /// To look something up.
    Reference,
    /// To understand.
    Explanation,
}

impl Sort {
    /// All of them, in the order of the index.
    pub const ALL: [Self; 4] = [Self::Tutorial, Self::HowTo, Self::Reference, Self::Explanation];

    /// Returns the heading of its pages.
    pub fn heading(self) -> &'static str {
        match self {
            Self::Tutorial => "To learn",
            Self::HowTo => "To do something",
            Self::Reference => "To look something up",
            Self::Explanation => "To understand",
        }
    }
}

/// A page of the product docs.
#[derive(Debug)]
pub struct Page {
    /// What it is for.
    pub sort: Sort,
    /// Its name in the path, such as `states`.
    pub slug: &'static str,
    /// What the index calls it.
    pub title: &'static str,
    /// Its text, in Markdown.
    pub text: &'static str,
}

macro_rules! page {
    ($sort:ident, $slug:literal, $title:literal) => {
        Page {
            sort: Sort::$sort,
            slug: $slug,
            title: $title,
            text: include_str!(concat!("../../../docs/", $slug, ".md")),
        }
    };
}

/// The product docs, in the order of the index.
pub static PAGES: &[Page] = &[
    page!(Tutorial, "tutorial", "Tutorial"),
    page!(HowTo, "howto-run-a-command", "How to run a command"),
    page!(HowTo, "howto-pull", "How to write a worker that pulls"),
    page!(HowTo, "fleet", "From one process to many"),
    page!(HowTo, "howto-test-a-worker", "How to test a worker"),
    page!(HowTo, "howto-push", "How to push tasks to a service of yours"),
    page!(HowTo, "howto-rust-handlers", "How to write handlers in Rust"),
    page!(HowTo, "howto-consume-messages", "How to consume messages that others publish"),
    page!(HowTo, "howto-order-and-unique", "How to keep order, and how to have at most one"),
    page!(HowTo, "howto-dead-letters", "How to deal with dead letters"),
    page!(HowTo, "howto-schedules", "How to do something again and again"),
    page!(HowTo, "howto-limits", "How to limit and pause work"),
    page!(HowTo, "howto-reload", "How to change the configuration while it runs"),
    page!(HowTo, "howto-keys", "How to ask callers for keys, and listen beyond this machine"),
    page!(HowTo, "howto-systemd", "How to run it under systemd"),
    page!(HowTo, "howto-export", "How to export the history of tasks"),
    page!(Reference, "http", "HTTP"),
    page!(Reference, "cli", "Command line"),
    page!(Reference, "configuration", "Configuration"),
    page!(Reference, "metrics", "Metrics"),
    page!(Reference, "states", "The states of a task"),
    page!(Reference, "postgres", "PostgreSQL"),
    page!(Reference, "rabbitmq", "RabbitMQ"),
    page!(Reference, "store", "What a store does"),
    page!(Reference, "broker", "What a broker does"),
    page!(Explanation, "promises", "Promises"),
    page!(Explanation, "crash-windows", "Crash windows"),
    page!(Explanation, "carriage", "Carriage: a broker hands the tasks out"),
    page!(Explanation, "suspects", "Suspects, crashes and stuck handlers"),
    page!(Explanation, "threads", "Threads"),
    page!(Explanation, "benchmarks", "Benchmarks"),
    page!(Explanation, "testing", "Testing"),
];

/// What the pages look like.
pub(crate) const STYLE: &str = include_str!("pages/style.css");

/// Returns the page of that name.
pub(crate) fn by_slug(slug: &str) -> Option<&'static Page> {
    PAGES.iter().find(|page| page.slug == slug)
}

impl Page {
    /// Writes it as HTML.
    pub(crate) fn html(&self) -> String {
        shell(self.title, &from_markdown(self.text))
    }
}

/// Writes the page of an error code.
pub(crate) fn of_code(code: &Code) -> String {
    shell(&format!("{}: {}", code.name(), code.title), &from_markdown(code.page))
}

/// Writes a whole document around `body`.
pub(crate) fn shell(title: &str, body: &str) -> String {
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <title>{title} · Longshore</title>\n\
         <link rel=\"stylesheet\" href=\"/docs/style.css\">\n</head>\n<body>\n\
         <header><nav aria-label=\"Main\"><a href=\"/\">Longshore</a> <a href=\"/docs\">Docs</a> \
         <a href=\"/docs/api\">API</a> <a href=\"/docs/errors\">Errors</a></nav></header>\n\
         <main>\n{body}</main>\n</body>\n</html>\n"
    )
}

fn from_markdown(text: &str) -> String {
    let parser = Parser::new_ext(text, Options::ENABLE_TABLES).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = served(&dest_url).map_or(dest_url, Into::into);
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        event => event,
    });
    let mut events: Vec<Event<'_>> = parser.collect();
    let headings: Vec<(usize, String)> = (0..events.len())
        .filter(|&at| matches!(events[at], Event::Start(Tag::Heading { .. })))
        .map(|at| (at, anchor(&events[at + 1..])))
        .collect();
    for (at, anchor) in headings {
        if let Event::Start(Tag::Heading { level, classes, attrs, .. }) = events[at].clone() {
            let id = (level != HeadingLevel::H1).then(|| anchor.into());
            events[at] = Event::Start(Tag::Heading { level, id, classes, attrs });
        }
    }
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, events.into_iter());
    out
}

/// The anchor of a heading, which `rest` begins with, in the way that links in the files name it.
fn anchor(rest: &[Event<'_>]) -> String {
    let inside = rest.iter().take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))));
    let text = inside.filter_map(|event| match event {
        Event::Text(text) | Event::Code(text) => Some(text.to_lowercase()),
        _ => None,
    });
    let kept = |c: &char| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_');
    text.collect::<String>().chars().filter(kept).map(|c| if c == ' ' { '-' } else { c }).collect()
}

/// Where the server has a page that the text names by its file. Files that it does not bring along
/// are on nobody's path; their links lead to the index.
fn served(link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, ""), |(file, anchor)| (file, anchor));
    if file.starts_with("../") {
        return Some("/docs".to_owned());
    }
    let name = file.strip_suffix(".md")?;
    let page = name.strip_prefix("errors/").map(|code| format!("/docs/errors/{code}"));
    let page = page.or_else(|| by_slug(name).map(|page| format!("/docs/{}", page.slug)));
    Some(match (page, anchor) {
        (Some(page), "") => page,
        (Some(page), anchor) => format!("{page}#{anchor}"),
        (None, _) => "/docs".to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::codes::CODES;

    #[test]
    fn links_between_files_become_links_between_pages() {
        for (file, page) in [
            ("http.md", Some("/docs/http")),
            ("errors/LS-40001.md", Some("/docs/errors/LS-40001")),
            ("store.md#ends", Some("/docs/store#ends")),
            ("../README.md", Some("/docs")),
            ("../examples/beside-axum", Some("/docs")),
            ("/docs/api", None),
        ] {
            assert_eq!(served(file).as_deref(), page, "{file}");
        }
    }

    #[test]
    fn every_document_is_a_page_and_every_sort_has_one() {
        let docs = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs")).unwrap();
        for entry in docs {
            let name = entry.unwrap().file_name().into_string().unwrap();
            let Some(slug) = name.strip_suffix(".md").filter(|slug| *slug != "README") else {
                continue;
            };
            assert!(by_slug(slug).is_some(), "docs/{name} is not in PAGES");
        }
        for sort in Sort::ALL {
            assert!(PAGES.iter().any(|page| page.sort == sort), "{}", sort.heading());
        }
    }

    #[test]
    fn pages_are_whole_documents_with_their_heading() {
        for page in PAGES {
            let html = page.html();
            assert!(html.contains(&format!("<h1>{}</h1>", page.title)), "{}", page.slug);
            assert!(html.ends_with("</html>\n"));
        }
        assert!(of_code(CODES[0]).contains("<h1>LS-40001: The request is not valid</h1>"));
    }

    #[test]
    fn headings_can_be_linked_to() {
        let html = from_markdown("# Title\n\n## `POST /v1/tasks:batch`, and *more*\n");
        let heading = "<h2 id=\"post-v1tasksbatch-and-more\"><code>POST /v1/tasks:batch</code>, and <em>more</em></h2>";
        assert!(html.starts_with("<h1>Title</h1>"), "{html}");
        assert!(html.contains(heading), "{html}");
    }

    #[test]
    fn tables_are_drawn_and_nothing_is_loaded_from_elsewhere() {
        let html = by_slug("store").unwrap().html();
        assert!(html.contains("<table>"));
        for page in PAGES.iter().map(Page::html).chain(CODES.iter().map(|code| of_code(code))) {
            assert!(!page.contains("<script") && !page.contains("src=\"http"), "{page}");
        }
    }
}
