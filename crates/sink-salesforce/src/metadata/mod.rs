//! What an administrator installs before a load: the custom objects and fields that a mapping names, and a permission set that shows
//! them to the migration user, in the Metadata API's own format (Salesforce reference, section 11.1).

mod categories;
pub(crate) mod deploy;
pub(crate) mod diff;
mod values;
mod withdraw;
mod xml;
mod zip;

use std::collections::{BTreeMap, BTreeSet};

use deskferry_core::error::Result;
use deskferry_core::model::Category;

use crate::mapping::{FieldSpec, Mapping, ObjectSpec, RecordTypeSpec};

/// The API name of the permission set.
pub const PERMISSION_SET: &str = "Deskferry_Migration";

/// A file of a package.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PackageFile {
    /// Its place in the package: `objects/Case.object`.
    pub path: String,
    /// Its text.
    pub content: String,
}

/// The package that a mapping needs: `package.xml`, one file per object, one permission set. Installing it again changes
/// nothing: fields are upserted, and the permission set is our own and whole.
///
/// ```
/// use deskferry_sink_salesforce::{Mapping, metadata};
///
/// let mapping = Mapping::parse(Mapping::default_text())?;
/// let package = metadata::package(&mapping);
/// assert!(package.iter().any(|f| f.path == "objects/Case.object" && f.content.contains("Source_Key__c")));
/// # Ok::<(), deskferry_core::Error>(())
/// ```
#[must_use]
pub fn package(mapping: &Mapping) -> Vec<PackageFile> {
    whole(mapping, None)
}

/// The same package with the group of data categories that the articles of a source stand in, where the mapping loads them. Unlike
/// the rest of the package the group replaces one of its name that is in the org: compare before it is installed again.
///
/// # Errors
/// `Config` when the categories are more, or stand deeper in each other, than a group can hold.
pub fn package_with(mapping: &Mapping, categories: &[Category]) -> Result<Vec<PackageFile>> {
    Ok(whole(mapping, categories::group(mapping, categories)?))
}

/// What a package is made of.
#[derive(Debug, Default)]
pub(crate) struct Contents {
    /// Fields that are made, or made anew.
    pub(crate) fields: Vec<FieldSpec>,
    /// Objects that are made.
    pub(crate) objects: Vec<ObjectSpec>,
    pub(crate) types: Vec<RecordTypeSpec>,
    /// Which values of each picklist of Case its types show.
    pub(crate) shown: BTreeMap<String, Vec<String>>,
    /// Fields that the permission set shows.
    pub(crate) granted: Vec<FieldSpec>,
    /// Record types that it lets give.
    pub(crate) visible: Vec<String>,
    /// Objects of our own that it lets write.
    pub(crate) own: Vec<String>,
    /// Objects of the platform's that it lets write.
    pub(crate) writes: Vec<&'static str>,
    /// Whole files of other types: type, member, file.
    pub(crate) others: Vec<(&'static str, String, PackageFile)>,
}

impl Contents {
    /// Everything that a mapping needs, whatever an org has.
    fn all(mapping: &Mapping) -> Self {
        let fields = mapping.required_fields();
        let objects = mapping.required_objects();
        let types = mapping.required_record_types();
        Self {
            granted: fields.clone(),
            own: objects.iter().map(|object| object.name.clone()).collect(),
            fields,
            objects,
            visible: types
                .iter()
                .map(|t| format!("{}.{}", t.object, t.name))
                .collect(),
            types,
            shown: mapping.case_values(),
            writes: mapping.objects().collect(),
            others: Vec::new(),
        }
    }

    /// The files, `package.xml` first.
    pub(crate) fn files(&self) -> Vec<PackageFile> {
        let mut objects: BTreeMap<&str, Vec<&FieldSpec>> = BTreeMap::new();
        for field in &self.fields {
            objects.entry(&field.object).or_default().push(field);
        }
        for made in &self.objects {
            objects.entry(&made.name).or_default();
        }
        for known in &self.types {
            objects.entry(&known.object).or_default();
        }
        let file = |path: String, content: String| PackageFile { path, content };
        let mut files = vec![file("package.xml".into(), xml::manifest(self))];
        files.extend(self.others.iter().map(|(_, _, file)| file.clone()));
        for (object, fields) in &objects {
            let types: Vec<&RecordTypeSpec> =
                self.types.iter().filter(|t| t.object == *object).collect();
            let made = self.objects.iter().find(|made| made.name == *object);
            files.push(file(
                format!("objects/{}.object", xml::place_of(object)),
                xml::object(fields, made, &types, &self.shown),
            ));
        }
        files.push(file(
            format!("permissionsets/{PERMISSION_SET}.permissionset"),
            xml::permission_set(self),
        ));
        files
    }
}

fn whole(mapping: &Mapping, group: Option<(String, PackageFile)>) -> Vec<PackageFile> {
    let mut contents = Contents::all(mapping);
    let group = group.map(|(name, file)| ("DataCategoryGroup", name, file));
    contents.others.extend(group);
    contents.files()
}

/// The same package as one zip file, without compression and with fixed times: the same package is the same bytes.
#[must_use]
pub fn zip(files: &[PackageFile]) -> Vec<u8> {
    zip::stored(files)
}

/// The keys of the source's custom fields that a mapping takes, by the object that takes them.
#[must_use]
pub fn taken_fields(mapping: &Mapping) -> BTreeSet<(&'static str, String)> {
    mapping
        .objects()
        .filter_map(|name| mapping.object(name).map(|object| (name, object)))
        .flat_map(|(name, object)| {
            let keys = object.lines.iter().filter_map(|line| line.custom());
            keys.map(move |key| (name, key.to_owned()))
        })
        .collect()
}

#[cfg(test)]
mod tests;
