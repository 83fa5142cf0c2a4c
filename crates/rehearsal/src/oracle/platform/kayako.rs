use super::Platform;

/// Kayako: the world was made after its likeness, so nothing differs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Kayako;

impl Platform for Kayako {
    fn name(&self) -> &'static str {
        "kayako"
    }
}
