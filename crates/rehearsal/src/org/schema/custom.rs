//! Custom objects and fields as the Metadata API describes them, checked by its rules.

use super::{Field, Kind, Object, PickValue, table};
use crate::org::options::{CustomField, CustomObject, FieldType};

/// Key prefixes of custom objects are given in their order, from `a00`.
const FIRST_PREFIX: usize = 0xa00;

/// The object that a description means, with its system fields.
pub(super) fn custom_object(
    custom: &CustomObject,
    number: usize,
    audit: bool,
) -> Result<Object, String> {
    let name = &custom.name;
    let stem = name
        .strip_suffix("__c")
        .filter(|stem| is_api_name(stem))
        .ok_or_else(|| {
            format!(
                "{name}: an API name starts with a letter, has letters, digits and single underscores, and ends in __c"
            )
        })?;
    let label = if custom.label.is_empty() {
        stem.replace('_', " ")
    } else {
        custom.label.clone()
    };
    let plural = if custom.plural_label.is_empty() {
        label.clone()
    } else {
        custom.plural_label.clone()
    };
    let head = format!(
        "{name} | {:03x} | {label} | {plural} | CUDQ | full audit",
        FIRST_PREFIX + number
    );
    let mut object = table::object(&head, audit);
    object.custom = true;
    let own = match custom.auto_number {
        Some(_) => format!("Name | string 80 | dipN | label={label} Name"),
        None => format!("Name | string 80 | CUdnipN | label={label} Name"),
    };
    let owner = "OwnerId | reference 18 | CUdp | label=Owner ID | to=Group,User | rel=Owner";
    for line in [own.as_str(), owner] {
        let mut field = table::field(line);
        // A custom object's name can be searched for, but is no key.
        if field.name == "Name" {
            field.id_lookup = custom.auto_number.is_some() || field.id_lookup;
            field.auto_number = custom.auto_number.clone();
        }
        object
            .add(field)
            .map_err(|field| format!("{name} has a field {field} already"))?;
    }
    Ok(object)
}

/// The field that a description means.
pub(super) fn custom_field(custom: &CustomField, object_takes_any: bool) -> Result<Field, String> {
    let place = format!("{}.{}", custom.object, custom.name);
    if !object_takes_any {
        return Err(format!("{place}: {} takes no custom fields", custom.object));
    }
    let Some(stem) = custom
        .name
        .strip_suffix("__c")
        .filter(|stem| is_api_name(stem))
    else {
        return Err(format!(
            "{place}: an API name starts with a letter, has letters, digits and single underscores, and ends in __c"
        ));
    };
    let can_be_key = matches!(
        custom.field_type,
        FieldType::Text | FieldType::Number | FieldType::Email
    );
    if (custom.external_id || custom.unique) && !can_be_key {
        return Err(format!(
            "{place}: only Text, Number and Email can be unique or an external id"
        ));
    }
    let label = if custom.label.is_empty() {
        stem.replace('_', " ")
    } else {
        custom.label.clone()
    };
    let is_master = custom.field_type == FieldType::MasterDetail;
    let refers = is_master || custom.field_type == FieldType::Lookup;
    let relationship = refers.then(|| format!("{stem}__r"));
    let reference_to = match (&custom.reference_to, refers) {
        (Some(to), true) => vec![to.clone()],
        (None, true) => {
            return Err(format!(
                "{place}: a reference needs the object it points at"
            ));
        }
        _ => Vec::new(),
    };
    let required = is_master || custom.required;
    let (precision, scale) = number_size(custom, &place)?;
    Ok(Field {
        name: custom.name.clone(),
        label,
        kind: kind(custom.field_type),
        length: length(custom, &place)?,
        byte_limit: None,
        precision,
        scale,
        digits: 0,
        createable: true,
        updateable: true,
        defaulted: custom.field_type == FieldType::Checkbox,
        nillable: custom.field_type != FieldType::Checkbox && !required,
        auto_number: None,
        cascade: is_master,
        child_relationship: custom
            .relationship_name
            .as_ref()
            .map(|name| format!("{name}__r")),
        id_lookup: custom.external_id,
        external_id: custom.external_id,
        unique: custom.unique,
        case_sensitive: custom.case_sensitive,
        filterable: !matches!(custom.field_type, FieldType::LongTextArea | FieldType::Html),
        sortable: !matches!(
            custom.field_type,
            FieldType::LongTextArea | FieldType::Html | FieldType::MultiselectPicklist
        ),
        permissionable: !required,
        restricted: custom.restricted,
        name_field: false,
        custom: true,
        hidden: custom.hidden,
        compound: None,
        reference_to,
        relationship,
        default: None,
        values: custom
            .values
            .iter()
            .map(|v| PickValue {
                value: v.clone(),
                label: v.clone(),
                closed: false,
            })
            .collect(),
    })
}

fn is_api_name(stem: &str) -> bool {
    stem.len() <= 40
        && stem.starts_with(|c: char| c.is_ascii_alphabetic())
        && stem.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_')
        && !stem.ends_with('_')
        && !stem.contains("__")
}

fn kind(field_type: FieldType) -> Kind {
    match field_type {
        FieldType::Text => Kind::String,
        FieldType::TextArea | FieldType::LongTextArea => Kind::TextArea,
        FieldType::Html => Kind::RichText,
        FieldType::Number => Kind::Double,
        FieldType::Currency => Kind::Currency,
        FieldType::Percent => Kind::Percent,
        FieldType::Checkbox => Kind::Boolean,
        FieldType::Date => Kind::Date,
        FieldType::DateTime => Kind::DateTime,
        FieldType::Picklist => Kind::Picklist,
        FieldType::MultiselectPicklist => Kind::MultiPicklist,
        FieldType::Email => Kind::Email,
        FieldType::Phone => Kind::Phone,
        FieldType::Url => Kind::Url,
        FieldType::Lookup | FieldType::MasterDetail => Kind::Reference,
    }
}

fn length(custom: &CustomField, place: &str) -> Result<usize, String> {
    let within = |range: std::ops::RangeInclusive<u32>, default: u32| {
        let length = custom.length.unwrap_or(default);
        let (low, high) = (*range.start(), *range.end());
        if range.contains(&length) {
            Ok(length as usize)
        } else {
            Err(format!(
                "{place}: length {length} is not within {low} and {high}"
            ))
        }
    };
    match custom.field_type {
        FieldType::Text => within(1..=255, 255),
        FieldType::LongTextArea | FieldType::Html => within(256..=131_072, 32_768),
        FieldType::TextArea | FieldType::Picklist | FieldType::Url => Ok(255),
        FieldType::MultiselectPicklist => Ok(4_099),
        FieldType::Email => Ok(80),
        FieldType::Phone => Ok(40),
        FieldType::Lookup | FieldType::MasterDetail => Ok(18),
        FieldType::Number
        | FieldType::Currency
        | FieldType::Percent
        | FieldType::Checkbox
        | FieldType::Date
        | FieldType::DateTime => Ok(0),
    }
}

fn number_size(custom: &CustomField, place: &str) -> Result<(u32, u32), String> {
    if !matches!(
        custom.field_type,
        FieldType::Number | FieldType::Currency | FieldType::Percent
    ) {
        return Ok((0, 0));
    }
    let (precision, scale) = (custom.precision.unwrap_or(18), custom.scale.unwrap_or(0));
    if precision == 0 || precision > 18 || scale > 17 || scale > precision {
        return Err(format!(
            "{place}: {precision} digits with {scale} after the point is no Number"
        ));
    }
    Ok((precision, scale))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn descriptions_the_platform_would_refuse_are_refused() {
        let base = CustomField::new("Case", "X__c", FieldType::Text);
        let bad = [
            (
                "no suffix",
                CustomField {
                    name: "X".into(),
                    ..base.clone()
                },
            ),
            (
                "starts with a digit",
                CustomField {
                    name: "1X__c".into(),
                    ..base.clone()
                },
            ),
            (
                "two underscores",
                CustomField {
                    name: "a__b__c".into(),
                    ..base.clone()
                },
            ),
            (
                "text too long",
                CustomField {
                    length: Some(256),
                    ..base.clone()
                },
            ),
            (
                "long text too short",
                CustomField {
                    field_type: FieldType::LongTextArea,
                    length: Some(255),
                    ..base.clone()
                },
            ),
            (
                "too many digits",
                CustomField {
                    field_type: FieldType::Number,
                    precision: Some(19),
                    ..base.clone()
                },
            ),
            (
                "unique date",
                CustomField {
                    field_type: FieldType::Date,
                    unique: true,
                    ..base.clone()
                },
            ),
            (
                "lookup to nothing",
                CustomField {
                    field_type: FieldType::Lookup,
                    ..base.clone()
                },
            ),
        ];
        assert!(custom_field(&base, true).is_ok());
        assert!(custom_field(&base, false).is_err());
        for (what, custom) in bad {
            assert!(custom_field(&custom, true).is_err(), "{what}");
        }
    }
}
