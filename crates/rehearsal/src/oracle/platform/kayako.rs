use super::{Platform, SeenArticle, SeenCategory, help};
use crate::world::Knowledge;

/// Kayako: the world was made after its likeness, so nothing differs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kayako;

impl Platform for Kayako {
    fn name(&self) -> &'static str {
        "kayako"
    }

    fn articles(&self, knowledge: &Knowledge) -> Vec<SeenArticle> {
        help::kayako(knowledge)
    }

    fn categories(&self, knowledge: &Knowledge) -> Vec<SeenCategory> {
        help::kayako_categories(knowledge)
    }

    fn article_link(&self, number: &str) -> String {
        format!("/article/{number}")
    }
}
