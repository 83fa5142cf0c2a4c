//! The help centre: its tree, and its articles with their texts in all languages (Kayako reference, section 15).

use std::collections::BTreeMap;

use deskferry_core::model::{
    Article, ArticleState, Attachment, Category, CustomValue, Named, Translation, Visibility,
};
use deskferry_core::source::Reject;
use deskferry_core::{RecordKey, RecordKind, Tenant};

use super::{Frame, files};
use crate::wire::{self, Defect, LocaleField};

/// Who may read what stands in each section. One that is not in it is for agents alone.
pub(crate) type Readers = BTreeMap<u64, String>;

/// Whose help centre it is.
pub(crate) struct Centre<'a> {
    pub(crate) tenant: &'a Tenant,
    /// Scheme, host and port of the instance.
    pub(crate) root: &'a str,
    /// The default language, such as `en-us`.
    pub(crate) language: Option<&'a str>,
    pub(crate) readers: &'a Readers,
}

/// What became of an article.
#[derive(Debug)]
pub(crate) struct ConvertedArticle {
    pub(crate) article: Article,
    pub(crate) attachments: Vec<Attachment>,
    pub(crate) rejects: Vec<Reject>,
}

impl Centre<'_> {
    /// A category.
    pub(crate) fn category(&self, row: &wire::Category) -> Category {
        self.place("category", row)
    }

    /// A section, which stands in a category and says who may read it.
    pub(crate) fn section(&self, row: &wire::Category) -> Category {
        let mut section = self.place("section", row);
        section.parent = row
            .category
            .as_ref()
            .and_then(|category| category.id.as_deref())
            .map(|id| self.key("category", id));
        section.visibility = Some(visibility(&row.visibility));
        section
    }

    /// Categories and sections have numbers of their own each, so the keys tell them apart.
    fn key(&self, sort: &str, id: &str) -> RecordKey {
        self.tenant
            .key(RecordKind::Category, format!("{sort}-{id}"))
    }

    fn place(&self, sort: &str, row: &wire::Category) -> Category {
        let frame = Frame {
            key: self.key(sort, &row.id.to_string()),
            url: None,
            created_at: row.created_at,
            updated_at: row.updated_at,
            legacy_id: row.legacy_id.as_deref(),
        };
        let names = self.texts(&row.titles);
        let main = self.main_of(&names);
        Category {
            meta: frame.meta(),
            name: main.unwrap_or_default().to_owned(),
            names: names
                .into_iter()
                .map(|(locale, text)| (locale, text.to_owned()))
                .collect(),
            parent: None,
            position: row.display_order.unwrap_or_default(),
            visibility: None,
        }
    }

    /// An article with its files.
    ///
    /// # Errors
    /// It has a text in no language.
    pub(crate) fn article(&self, row: &wire::Article) -> Result<ConvertedArticle, Defect> {
        let key = self.tenant.key(RecordKind::Article, row.id);
        let translations = self.translations(row)?;
        let bodies: Vec<&str> = translations.iter().map(|text| text.html.as_str()).collect();
        let found = files::of_article(
            self.tenant,
            self.root,
            &key,
            row.created_at,
            &row.attachments,
            &bodies,
        );
        let frame = Frame {
            key,
            url: row.resource_url.as_deref(),
            created_at: row.created_at,
            updated_at: row.updated_at,
            legacy_id: row.legacy_id.as_deref(),
        };
        let mut meta = frame.meta();
        if let Some(keywords) = row.keywords.as_ref().filter(|words| !words.is_empty()) {
            meta.custom
                .insert("keywords".to_owned(), CustomValue::Text(keywords.clone()));
        }
        let section = row.section.as_ref();
        let readers = section
            .and_then(|section| section.number())
            .and_then(|id| self.readers.get(&id));
        let author = [&row.author, &row.creator]
            .into_iter()
            .flatten()
            .find_map(wire::Ref::user);
        let article = Article {
            meta,
            categories: section
                .and_then(|section| section.id.as_deref())
                .map(|id| self.key("section", id))
                .into_iter()
                .collect(),
            author: author.map(|id| self.tenant.key(RecordKind::Agent, id)),
            visibility: visibility(readers.map_or("", String::as_str)),
            translations,
            tags: row
                .tags
                .iter()
                .map(|tag| tag.name.clone())
                .filter(|name| !name.is_empty())
                .collect(),
            files: found.shown,
        };
        Ok(ConvertedArticle {
            article,
            attachments: found.records,
            rejects: found.rejects,
        })
    }

    /// The texts, the one in the default language first. A language that has a title and no text is none.
    fn translations(&self, row: &wire::Article) -> Result<Vec<Translation>, Defect> {
        let titles = self.texts(&row.titles);
        let slugs = self.texts(&row.slugs);
        let mut contents = self.texts(&row.contents);
        if contents.is_empty() {
            contents = titles
                .iter()
                .map(|(locale, _)| (locale.clone(), ""))
                .collect();
        }
        if contents.is_empty() {
            return Err(Defect {
                path: "contents".to_owned(),
                reason: "there is a text in no language, or texts came as bare references"
                    .to_owned(),
            });
        }
        let main_title = self.main_of(&titles).unwrap_or_default();
        let of = |texts: &[(String, &str)], locale: &str| {
            let found = texts.iter().find(|(known, _)| known == locale);
            found.map(|(_, text)| (*text).to_owned())
        };
        let mut translations: Vec<Translation> = contents
            .iter()
            .map(|(locale, html)| Translation {
                locale: locale.clone(),
                title: of(&titles, locale).unwrap_or_else(|| main_title.to_owned()),
                summary: None,
                html: (*html).to_owned(),
                state: state(&row.status),
                slug: of(&slugs, locale),
                url: None,
                updated_at: row.updated_at,
                published_at: row.published_at,
            })
            .collect();
        if let Some(main) = translations.first_mut() {
            main.url.clone_from(&row.helpcenter_url);
        }
        Ok(translations)
    }

    /// Texts by language, each language once, the default one first. Empty ones are none; one of no language is of the
    /// default one.
    fn texts<'t>(&self, all: &'t [LocaleField]) -> Vec<(String, &'t str)> {
        let main = self.language.unwrap_or("en-us");
        let mut texts: Vec<(String, &str)> = Vec::new();
        for one in all {
            let locale = one.locale.as_deref().unwrap_or(main);
            let text = one
                .translation
                .as_deref()
                .map(str::trim)
                .unwrap_or_default();
            if !text.is_empty() && !texts.iter().any(|(known, _)| known == locale) {
                texts.push((locale.to_owned(), text));
            }
        }
        texts.sort_by_key(|(locale, _)| !locale.eq_ignore_ascii_case(main));
        texts
    }

    fn main_of<'t>(&self, texts: &[(String, &'t str)]) -> Option<&'t str> {
        texts.first().map(|(_, text)| *text)
    }
}

/// What is not called published is a draft: nothing becomes public by guessing.
fn state(word: &str) -> Named<ArticleState> {
    let is = match word.to_ascii_uppercase().as_str() {
        "PUBLISHED" => ArticleState::Published,
        _ => ArticleState::Draft,
    };
    Named::new(is, word)
}

/// What is not known to be for customers is for agents alone.
fn visibility(word: &str) -> Named<Visibility> {
    let is = match word.to_ascii_uppercase().as_str() {
        "PUBLIC" => Visibility::Public,
        "AUTHORIZED" => Visibility::Customers,
        _ => Visibility::Internal,
    };
    Named::new(is, word)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn converted(row: serde_json::Value) -> Result<ConvertedArticle, Defect> {
        let readers = Readers::from([(1, "PUBLIC".to_owned()), (2, "AGENTS".to_owned())]);
        let tenant = Tenant::new("kayako", "acme");
        let centre = Centre {
            tenant: &tenant,
            root: "https://acme.kayako.com",
            language: Some("en-us"),
            readers: &readers,
        };
        centre.article(&serde_json::from_value(row).unwrap())
    }

    #[test]
    fn nothing_becomes_public_by_guessing() {
        for (section, status, visible, stands) in [
            (
                json!({"id": 1}),
                "PUBLISHED",
                Visibility::Public,
                ArticleState::Published,
            ),
            (
                json!({"id": 1}),
                "PENDINGAPPROVAL",
                Visibility::Public,
                ArticleState::Draft,
            ),
            (
                json!({"id": 1}),
                "",
                Visibility::Public,
                ArticleState::Draft,
            ),
            (
                json!({"id": 2}),
                "PUBLISHED",
                Visibility::Internal,
                ArticleState::Published,
            ),
            (
                json!({"id": 3}),
                "PUBLISHED",
                Visibility::Internal,
                ArticleState::Published,
            ),
            (
                json!(null),
                "published",
                Visibility::Internal,
                ArticleState::Published,
            ),
        ] {
            let row = json!({"id": 5, "section": section, "status": status, "contents": [{"locale": "de", "translation": "x"}]});
            let article = converted(row).unwrap().article;
            assert_eq!(
                (article.visibility.is, article.translations[0].state.is),
                (visible, stands),
                "{section} {status}"
            );
        }
    }

    #[test]
    fn languages_without_a_text_are_none_and_a_missing_title_is_that_of_the_default_language() {
        let article = converted(json!({
            "id": 5, "section": 1, "status": "DRAFT", "keywords": "a,b",
            "titles": [{"locale": "de", "translation": null}, {"locale": "en-us", "translation": "Hello"}, {"locale": "fr", "translation": "Allô"}],
            "contents": [{"locale": "de", "translation": "<p>Hallo</p>"}, {"locale": "en-us", "translation": "<p>Hello</p>"}, {"locale": "fr", "translation": ""}],
        }))
        .unwrap()
        .article;
        let texts: Vec<_> = article
            .translations
            .iter()
            .map(|text| (text.locale.as_str(), text.title.as_str()))
            .collect();
        assert_eq!(texts, [("en-us", "Hello"), ("de", "Hello")]);
        assert!(article.meta.custom.contains_key("keywords"));
        let bare = json!({"id": 5, "contents": [{"id": 1, "resource_type": "locale_field"}]});
        assert_eq!(converted(bare).unwrap_err().path, "contents");
    }

    #[test]
    fn attachments_and_images_of_all_languages_come_once_each() {
        let image = |host: &str| format!("<img src=\"{host}/base/media/url/T1\">");
        let made = converted(json!({
            "id": 5, "section": 1,
            "contents": [
                {"locale": "en-us", "translation": image("https://help.example.org")},
                {"locale": "de", "translation": image("https://acme.kayako.com")},
            ],
            "attachments": [
                {"id": 7, "name": "a.pdf", "size": 3, "type": "application/pdf", "url_download": "https://acme.kayako.com/api/v1/articles/5/attachments/7/download"},
                {"name": "no id"},
            ],
        }))
        .unwrap();
        let keys: Vec<_> = made
            .attachments
            .iter()
            .map(|file| file.meta.key.id().to_owned())
            .collect();
        assert_eq!(keys, ["article-5-7", "article-5-media-T1"]);
        assert_eq!(
            made.article.files.len(),
            3,
            "a file, and two spellings of an image"
        );
        assert_eq!(made.rejects.len(), 1);
    }
}
