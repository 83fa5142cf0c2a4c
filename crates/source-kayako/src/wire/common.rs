//! What every resource is made of.

use std::fmt;

use serde::Deserialize;
use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserializer, Error, MapAccess, Visitor};
use serde_json::value::RawValue;

use super::lenient;

/// A row as it came, decoded later and on its own.
pub(crate) type Raw = Box<RawValue>;

/// The envelope of a collection (Kayako reference, section 3), its rows still raw.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Collection {
    #[serde(deserialize_with = "lenient::list")]
    pub(crate) data: Vec<Raw>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub(crate) limit: Option<u64>,
    #[serde(default, deserialize_with = "lenient::count")]
    pub(crate) total_count: Option<u64>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) next_url: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) session_id: Option<String>,
}

/// The envelope of one row.
#[derive(Debug, Deserialize)]
pub(crate) struct Single {
    pub(crate) data: Raw,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) session_id: Option<String>,
}

/// The envelope of a failure.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Failure {
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) errors: Vec<Fault>,
    #[serde(default, deserialize_with = "lenient::list")]
    pub(crate) notifications: Vec<Notification>,
}

/// One entry of `errors`. Its message is never matched on.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Fault {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) code: String,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) parameter: Option<String>,
}

/// One entry of `notifications`.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Notification {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) message: String,
}

/// A reference, bare or expanded. Twitter ids are texts and channels have a uuid, so an id is kept as text.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ref {
    pub(crate) id: Option<String>,
    pub(crate) resource_type: String,
    pub(crate) full_name: Option<String>,
    pub(crate) title: Option<String>,
    pub(crate) role: Option<Role>,
}

impl Ref {
    /// The id as a number.
    pub(crate) fn number(&self) -> Option<u64> {
        self.id.as_deref()?.trim().parse().ok()
    }

    /// The id, if this names a user.
    pub(crate) fn user(&self) -> Option<u64> {
        matches!(self.resource_type.as_str(), "" | "user" | "user_minimal")
            .then(|| self.number())?
    }
}

impl<'de> Deserialize<'de> for Ref {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        struct Object {
            #[serde(default, deserialize_with = "lenient::some_text")]
            id: Option<String>,
            #[serde(default, deserialize_with = "lenient::text")]
            resource_type: String,
            #[serde(default, deserialize_with = "lenient::some_text")]
            full_name: Option<String>,
            #[serde(default, deserialize_with = "lenient::some_text")]
            title: Option<String>,
            #[serde(default, deserialize_with = "lenient::object")]
            role: Option<Role>,
        }
        struct RefVisitor;
        impl<'de> Visitor<'de> for RefVisitor {
            type Value = Ref;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a reference")
            }
            fn visit_u64<E: Error>(self, id: u64) -> Result<Ref, E> {
                Ok(Ref {
                    id: Some(id.to_string()),
                    ..Ref::default()
                })
            }
            fn visit_str<E: Error>(self, id: &str) -> Result<Ref, E> {
                Ok(Ref {
                    id: Some(id.to_owned()),
                    ..Ref::default()
                })
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Ref, A::Error> {
                let object = Object::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Ref {
                    id: object.id,
                    resource_type: object.resource_type,
                    full_name: object.full_name,
                    title: object.title,
                    role: object.role,
                })
            }
        }
        d.deserialize_any(RefVisitor)
    }
}

/// A reference that may be missing; `0`, `""`, `[]` and `false` are none.
pub(crate) fn reference<'de, D: Deserializer<'de>>(d: D) -> Result<Option<Ref>, D::Error> {
    struct Visit;
    impl<'de> Visitor<'de> for Visit {
        type Value = Option<Ref>;
        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a reference")
        }
        fn visit_unit<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_none<E: Error>(self) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_bool<E: Error>(self, _: bool) -> Result<Self::Value, E> {
            Ok(None)
        }
        fn visit_u64<E: Error>(self, id: u64) -> Result<Self::Value, E> {
            Ok((id > 0).then(|| Ref {
                id: Some(id.to_string()),
                ..Ref::default()
            }))
        }
        fn visit_str<E: Error>(self, id: &str) -> Result<Self::Value, E> {
            let id = id.trim();
            Ok((!id.is_empty() && id != "0").then(|| Ref {
                id: Some(id.to_owned()),
                ..Ref::default()
            }))
        }
        fn visit_seq<A: serde::de::SeqAccess<'de>>(
            self,
            mut seq: A,
        ) -> Result<Self::Value, A::Error> {
            while seq.next_element::<serde::de::IgnoredAny>()?.is_some() {}
            Ok(None)
        }
        fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Self::Value, A::Error> {
            let found = Ref::deserialize(MapAccessDeserializer::new(map))?;
            Ok(found.id.is_some().then_some(found))
        }
    }
    d.deserialize_any(Visit)
}

/// What a user may do. The type decides; ids and titles are each tenant's own (Kayako reference, section 10).
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Role {
    #[serde(default, deserialize_with = "lenient::count")]
    pub(crate) id: Option<u64>,
    #[serde(default, rename = "type", deserialize_with = "lenient::text")]
    pub(crate) kind: String,
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) agent_case_access: String,
}

/// By what way words came.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Channel {
    #[serde(default, rename = "type", deserialize_with = "lenient::text")]
    pub(crate) kind: String,
}

/// One way to reach somebody: `identity_email`, `identity_phone`, `identity_twitter`, `identity_facebook`,
/// `identity_domain`; also a website of an organisation. Only the fields of its own type are there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
pub(crate) struct Identity {
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) id: Option<String>,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub(crate) is_primary: Option<bool>,
    #[serde(default, deserialize_with = "lenient::flag")]
    pub(crate) is_validated: Option<bool>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) email: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) number: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) twitter_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) screen_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) facebook_id: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) user_name: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) domain: Option<String>,
    #[serde(default, deserialize_with = "lenient::some_text")]
    pub(crate) url: Option<String>,
}

/// A custom field's value on a row.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct FieldValue {
    #[serde(default, deserialize_with = "reference")]
    pub(crate) field: Option<Ref>,
    #[serde(default, deserialize_with = "lenient::value")]
    pub(crate) value: String,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
pub(crate) struct Tag {
    #[serde(default, deserialize_with = "lenient::text")]
    pub(crate) name: String,
}
