//! What becomes of a help centre, by the mapping's `[policy]`: its languages, its categories, the addresses of its texts.

use std::collections::BTreeMap;

use deskferry_core::key::{RecordKey, RecordKind};
use deskferry_core::model::{Article, Translation};
use percent_encoding::percent_decode_str;
use serde::Serialize;

/// The object of articles, as versions in languages.
pub(crate) const ARTICLES: &str = "Knowledge__kav";

/// The most characters of an address before the article's own number.
const ADDRESS: usize = 200;
/// The word by which a language is left out.
pub(super) const LEFT: &str = "leave";

/// How articles are loaded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(crate) struct Articles {
    /// The group of data categories that they stand in; they stand in none where nothing is said.
    pub(crate) group: Option<String>,
    /// The org's languages by the source's; nothing for one that is left out.
    pub(super) languages: BTreeMap<String, Option<String>>,
    /// Hosts under which the source's articles are read, beside those of the articles' own addresses.
    pub(super) hosts: Vec<String>,
    /// The address of an article in the org: `{language}` and `{name}` stand for what it has.
    pub(super) address: String,
}

/// What a language of the source is in the org.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Language {
    /// This one, by its code.
    Is(String),
    /// It was decided that texts in it are not loaded.
    Left,
    /// The org has it not, or several that it may be.
    Unknown,
}

impl Articles {
    /// The org's language for a locale of the source: what was decided, else the same one, else the only one of that tongue.
    pub(crate) fn language(&self, locale: &str, active: &[String]) -> Language {
        if let Some(decided) = self.languages.get(&plain(locale)) {
            return match decided {
                None => Language::Left,
                Some(code) if active.contains(code) => Language::Is(code.clone()),
                Some(_) => Language::Unknown,
            };
        }
        let wanted = plain(locale);
        if let Some(same) = active.iter().find(|code| plain(code) == wanted) {
            return Language::Is(same.clone());
        }
        let tongue = |code: &str| plain(code).split('-').next().unwrap_or_default().to_owned();
        let mut alike = active.iter().filter(|code| tongue(code) == tongue(&wanted));
        match (alike.next(), alike.next()) {
            (Some(only), None) => Language::Is(only.clone()),
            _ => Language::Unknown,
        }
    }

    /// Where people of the org read an article.
    pub(crate) fn address(&self, language: &str, name: &str) -> String {
        self.address
            .replace("{language}", language)
            .replace("{name}", name)
    }

    /// The article of the same help centre that a link leads to: its host is one of the help centre's, and its path says
    /// `article` or `articles` before a number.
    pub(crate) fn linked(&self, article: &Article, href: &str) -> Option<RecordKey> {
        let (host, path) = parts(href)?;
        let own = [article.meta.url.as_deref()].into_iter();
        let own = own.chain(article.translations.iter().map(|text| text.url.as_deref()));
        let is_own = || {
            own.flatten()
                .filter_map(parts)
                .any(|(known, _)| known.eq_ignore_ascii_case(host))
        };
        let is_known = || {
            self.hosts
                .iter()
                .any(|known| known.eq_ignore_ascii_case(host))
        };
        if !host.is_empty() && !is_known() && !is_own() {
            return None;
        }
        let mut segments = path.split(['?', '#']).next()?.split('/');
        segments
            .find(|s| s.eq_ignore_ascii_case("article") || s.eq_ignore_ascii_case("articles"))?;
        let id: String = segments
            .next()?
            .chars()
            .take_while(char::is_ascii_digit)
            .collect();
        let decoded = |piece: &str| percent_decode_str(piece).decode_utf8_lossy().into_owned();
        let key = &article.meta.key;
        let (platform, tenant) = (decoded(key.platform()), decoded(key.tenant()));
        (!id.is_empty())
            .then(|| RecordKey::new(&platform, &tenant, RecordKind::Article.name(), &id))
    }
}

/// Host (with its port) and path of an address; no host for one within the same site.
fn parts(address: &str) -> Option<(&str, &str)> {
    let rest = address
        .strip_prefix("https:")
        .or_else(|| address.strip_prefix("http:"));
    match rest.unwrap_or(address).strip_prefix("//") {
        Some(rest) => Some(rest.split_once('/').unwrap_or((rest, ""))),
        None if rest.is_none() && address.starts_with('/') => Some(("", address)),
        None => None,
    }
}

/// A language without regard to case and to how its parts are joined.
pub(super) fn plain(locale: &str) -> String {
    locale.trim().to_lowercase().replace('_', "-")
}

/// The API name of a category, from its key alone: the same whatever it is called.
pub(crate) fn category_name(category: &RecordKey) -> String {
    let id = percent_decode_str(category.id()).decode_utf8_lossy();
    let name: String = id
        .chars()
        .map(|c| if c.is_ascii_alphanumeric() { c } else { '_' })
        .collect();
    let parts: Vec<&str> = name.split('_').filter(|part| !part.is_empty()).collect();
    format!("C_{}", parts.join("_"))
}

/// The last part of a text's address: what it was or is called, the article's number, and the language of a translation. No
/// two texts of an org share one (Salesforce objects, section 6).
pub(crate) fn url_name(article: &Article, text: &Translation, language: Option<&str>) -> String {
    let slug = text
        .slug
        .as_deref()
        .map(hyphened)
        .filter(|slug| !slug.is_empty());
    let mut name = slug.unwrap_or_else(|| hyphened(&text.title));
    name.truncate(ADDRESS);
    let name = name.trim_matches('-');
    let name = if name.is_empty() { "article" } else { name };
    let id = hyphened(&percent_decode_str(article.meta.key.id()).decode_utf8_lossy());
    match language {
        Some(language) => format!("{name}-{id}-{}", hyphened(language)),
        None => format!("{name}-{id}"),
    }
}

/// Small letters and digits of ASCII, everything else one hyphen.
fn hyphened(text: &str) -> String {
    let lower = text.to_lowercase();
    let parts = lower.split(|c: char| !c.is_ascii_alphanumeric());
    parts
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join("-")
}

#[cfg(test)]
mod tests {
    use super::*;
    use deskferry_core::key::Tenant;
    use deskferry_core::model::{ArticleState, Meta, Named, Visibility};

    fn articles() -> Articles {
        Articles {
            group: None,
            languages: BTreeMap::from([
                ("en".to_owned(), Some("en_GB".to_owned())),
                ("fr".to_owned(), None),
                ("it".to_owned(), Some("it".to_owned())),
            ]),
            hosts: vec!["acme.help.example".to_owned()],
            address: "/articles/{language}/Knowledge/{name}".to_owned(),
        }
    }

    fn article(title: &str, slug: Option<&str>) -> Article {
        let mut meta = Meta::new(Tenant::new("desk", "acme").key(RecordKind::Article, "7"));
        meta.url = Some("https://desk.example:8080/api/7".to_owned());
        let text = Translation {
            locale: "en".into(),
            title: title.into(),
            summary: None,
            html: String::new(),
            state: Named::new(ArticleState::Draft, "draft"),
            slug: slug.map(str::to_owned),
            url: None,
            updated_at: None,
            published_at: None,
        };
        Article {
            meta,
            categories: Vec::new(),
            author: None,
            visibility: Named::new(Visibility::Public, ""),
            translations: vec![text],
            tags: Vec::new(),
            files: Vec::new(),
        }
    }

    #[test]
    fn a_language_is_the_one_that_was_decided_or_the_same_or_the_only_one_of_its_tongue() {
        let active = ["en_US", "en_GB", "nl_NL", "de", "fr"].map(str::to_owned);
        for (locale, is) in [
            ("en", Language::Is("en_GB".into())),
            ("EN-us", Language::Is("en_US".into())),
            ("en-AU", Language::Unknown),
            ("nl", Language::Is("nl_NL".into())),
            ("de-AT", Language::Is("de".into())),
            ("fr", Language::Left),
            ("it", Language::Unknown),
            ("pl", Language::Unknown),
        ] {
            assert_eq!(articles().language(locale, &active), is, "{locale}");
        }
    }

    #[test]
    fn addresses_are_made_of_what_a_text_is_called_and_never_shared() {
        for (title, slug, language, name) in [
            ("How to & why?", None, None, "how-to-why-7"),
            ("How to", Some("5-How-To"), None, "5-how-to-7"),
            ("Zurück", Some("--"), Some("en_US"), "zur-ck-7-en-us"),
            ("Помощь", None, None, "article-7"),
        ] {
            let article = article(title, slug);
            assert_eq!(url_name(&article, &article.translations[0], language), name);
        }
        let long = article(&"a ".repeat(300), None);
        assert!(url_name(&long, &long.translations[0], Some("en_US")).len() <= 255);
    }

    #[test]
    fn only_links_within_the_help_centre_lead_to_articles() {
        let article = article("a", None);
        for (href, id) in [
            ("https://desk.example:8080/article/12", Some("12")),
            (
                "https://desk.example:8080/en/articles/12-returns?a#b",
                Some("12"),
            ),
            ("//acme.HELP.example/articles/3", Some("3")),
            ("/article/4", Some("4")),
            ("https://desk.example/article/12", None),
            ("https://other.example/article/12", None),
            ("https://desk.example:8080/article/returns", None),
            ("https://desk.example:8080/news/12", None),
            ("mailto:a@example.org", None),
            ("article/12", None),
        ] {
            let found = articles().linked(&article, href);
            assert_eq!(found.as_ref().map(RecordKey::id), id, "{href}");
        }
    }

    #[test]
    fn categories_are_named_by_their_keys() {
        let key = Tenant::new("desk", "acme").key(RecordKind::Category, "section-11.x");
        assert_eq!(category_name(&key), "C_section_11_x");
    }
}
