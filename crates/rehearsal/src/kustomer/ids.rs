//! Ids as Kustomer writes them: 24 hex characters. The world's number stands at the end, its kind at the beginning.

/// What an id names.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) enum Of {
    Org,
    Customer,
    Company,
    User,
    Team,
    Tag,
    Conversation,
    /// Messages and notes share the range, as they do in a world.
    Message,
    Attachment,
    SubStatus,
    Form,
    Klass,
    Object,
    Category,
    Article,
    Setting,
    Media,
}

impl Of {
    fn byte(self) -> u8 {
        match self {
            Self::Org => 0x01,
            Self::Customer => 0x02,
            Self::Company => 0x03,
            Self::User => 0x04,
            Self::Team => 0x05,
            Self::Tag => 0x06,
            Self::Conversation => 0x07,
            Self::Message => 0x08,
            Self::Attachment => 0x09,
            Self::SubStatus => 0x0a,
            Self::Form => 0x0b,
            Self::Klass => 0x0c,
            Self::Object => 0x0d,
            Self::Category => 0x0e,
            Self::Article => 0x0f,
            Self::Setting => 0x10,
            Self::Media => 0x11,
        }
    }
}

pub(crate) fn id(of: Of, number: u64) -> String {
    format!("5f{:02x}{number:020x}", of.byte())
}

/// The number in an id of this kind.
pub(crate) fn number(of: Of, id: &str) -> Option<u64> {
    let digits = id.strip_prefix(&format!("5f{:02x}", of.byte()))?;
    (digits.len() == 20)
        .then(|| u64::from_str_radix(digits, 16).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_has_24_hex_characters_and_gives_its_number_back_to_its_own_kind_alone() {
        for n in [0, 1, 4_096_001, u64::MAX] {
            let text = id(Of::Message, n);
            assert_eq!(text.len(), 24);
            assert_eq!(number(Of::Message, &text), Some(n));
            assert_eq!(number(Of::Customer, &text), None);
        }
        assert_eq!(number(Of::Message, "5f08zz"), None);
    }
}
