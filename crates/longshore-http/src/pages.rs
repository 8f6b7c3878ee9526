//! The texts that the server brings along: product docs and error pages, as HTML.
//!
//! Everything comes from the binary; no script runs and nothing is loaded from elsewhere.

use crate::codes::Code;
use pulldown_cmark::{Event, Options, Parser, Tag, html};

/// A page of the product docs.
#[derive(Debug)]
pub struct Page {
    /// Its name in the path, such as `states`.
    pub slug: &'static str,
    /// What the index calls it.
    pub title: &'static str,
    /// Its text, in Markdown.
    pub text: &'static str,
}

/// The product docs, in the order of the index.
pub static PAGES: &[Page] = &[
    Page { slug: "tutorial", title: "Tutorial", text: include_str!("../../../docs/tutorial.md") },
    Page { slug: "http", title: "HTTP", text: include_str!("../../../docs/http.md") },
    Page {
        slug: "configuration",
        title: "Configuration",
        text: include_str!("../../../docs/configuration.md"),
    },
    Page { slug: "metrics", title: "Metrics", text: include_str!("../../../docs/metrics.md") },
    Page { slug: "promises", title: "Promises", text: include_str!("../../../docs/promises.md") },
    Page {
        slug: "states",
        title: "The states of a task",
        text: include_str!("../../../docs/states.md"),
    },
    Page {
        slug: "store",
        title: "What a store does",
        text: include_str!("../../../docs/store.md"),
    },
    Page {
        slug: "benchmarks",
        title: "Benchmarks",
        text: include_str!("../../../docs/benchmarks.md"),
    },
    Page { slug: "testing", title: "Testing", text: include_str!("../../../docs/testing.md") },
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
    let mut out = String::with_capacity(text.len() * 2);
    html::push_html(&mut out, parser);
    out
}

/// Where the server has a page that the text names by its file. Files that it does not bring along
/// are on nobody's path; their links lead to the index.
fn served(link: &str) -> Option<String> {
    let (file, anchor) = link.split_once('#').map_or((link, ""), |(file, anchor)| (file, anchor));
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
            ("/docs/api", None),
        ] {
            assert_eq!(served(file).as_deref(), page, "{file}");
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
    fn tables_are_drawn_and_nothing_is_loaded_from_elsewhere() {
        let html = by_slug("store").unwrap().html();
        assert!(html.contains("<table>"));
        for page in PAGES.iter().map(Page::html).chain(CODES.iter().map(|code| of_code(code))) {
            assert!(!page.contains("<script") && !page.contains("src=\"http"), "{page}");
        }
    }
}
