use deskferry_core::model::{Article, ArticleState, CustomValues, Translation, Visibility};

use super::{Common, Facts};
use crate::mapping::value::Fact;

/// What of the org a text of an article refers to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct ArticleLinks {
    /// The last part of its address.
    pub(crate) url_name: String,
    /// Its language there.
    pub(crate) language: String,
    /// Its HTML, images at their new addresses.
    pub(crate) html: String,
    pub(crate) author_name: Option<String>,
}

/// An article in one language.
pub(crate) struct ArticleFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) article: &'a Article,
    pub(crate) text: &'a Translation,
    pub(crate) links: &'a ArticleLinks,
}

impl ArticleFacts<'_> {
    /// Whether people outside may read it once it is published. What is archived at the source was taken from them.
    fn is_for(&self, most: Visibility) -> bool {
        let archived = |text: &Translation| text.state.is == ArticleState::Archived;
        let main = self.article.translations.first();
        self.article.visibility.is <= most && !archived(self.text) && !main.is_some_and(archived)
    }
}

impl Facts for ArticleFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        let (a, t, l) = (self.article, self.text, self.links);
        match name {
            "title" if t.title.trim().is_empty() => Fact::text(&l.url_name),
            "title" => Fact::text(&t.title),
            "url-name" => Fact::text(&l.url_name),
            "summary" => Fact::maybe_text(t.summary.as_deref()),
            "language" => Fact::text(&l.language),
            "locale" => Fact::text(&t.locale),
            "html" => Fact::text(&l.html),
            "public" => Fact::Bool(self.is_for(Visibility::Public)),
            "customers" => Fact::Bool(self.is_for(Visibility::Customers)),
            "state" => Fact::Choice {
                is: match t.state.is {
                    ArticleState::Draft => "draft",
                    ArticleState::Published => "published",
                    ArticleState::Archived => "archived",
                    _ => "other",
                },
                raw: &t.state.raw,
            },
            "state.raw" => Fact::text(&t.state.raw),
            "visibility.raw" => Fact::text(&a.visibility.raw),
            "author.name" => Fact::maybe_text(l.author_name.as_deref()),
            "tags" => Fact::List(&a.tags),
            "tags.list" => Fact::Tags(&a.tags),
            "published" => Fact::maybe_time(t.published_at),
            "changed" => Fact::maybe_time(t.updated_at.or(a.meta.updated_at)),
            "url" => Fact::maybe_text(t.url.as_deref().or(a.meta.url.as_deref())),
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.article.meta.custom
    }
}
