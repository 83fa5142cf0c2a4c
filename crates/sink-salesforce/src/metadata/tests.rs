use super::*;

fn field(kind: &str) -> FieldSpec {
    FieldSpec {
        object: "Case".into(),
        name: "Some_Field__c".into(),
        label: "Some & Field".into(),
        kind: kind.into(),
        length: None,
        precision: None,
        scale: None,
        external_id: false,
        unique: false,
        case_sensitive: false,
        values: Vec::new(),
        reference_to: None,
        relationship_name: None,
    }
}

#[test]
fn each_type_carries_what_the_metadata_api_demands_of_it() {
    for (kind, wanted) in [
        ("Text", &["<length>255</length>"][..]),
        (
            "LongTextArea",
            &["<length>32768</length>", "<visibleLines>5</visibleLines>"],
        ),
        (
            "Html",
            &["<length>32768</length>", "<visibleLines>25</visibleLines>"],
        ),
        ("Number", &["<precision>18</precision>", "<scale>0</scale>"]),
        ("Checkbox", &["<defaultValue>false</defaultValue>"]),
        (
            "Picklist",
            &["<valueSetDefinition>", "<restricted>false</restricted>"],
        ),
        (
            "MultiselectPicklist",
            &["<valueSetDefinition>", "<visibleLines>4</visibleLines>"],
        ),
        (
            "Date",
            &["<type>Date</type>", "<label>Some &amp; Field</label>"],
        ),
    ] {
        let text = xml::object(&[&field(kind)], None, &[], &BTreeMap::new());
        for wanted in wanted {
            assert!(text.contains(wanted), "{kind} lacks {wanted}:\n{text}");
        }
    }
}

#[test]
fn what_a_type_must_not_say_is_left_out() {
    let mut checkbox = field("Checkbox");
    checkbox.unique = true;
    checkbox.external_id = true;
    let text = xml::object(&[&checkbox], None, &[], &BTreeMap::new());
    for refused in ["unique", "externalId", "length", "required"] {
        assert!(!text.contains(refused), "{refused} in:\n{text}");
    }
}

#[test]
fn an_object_of_ones_own_is_described_whole_and_its_masters_are_granted_to_nobody() {
    let lines = "[objects.Order__c]\nfrom = \"object:order\"\ncreate = { label = \"Order\", plural = \"Orders\" }\n\
                 [objects.Order__c.fields]\nName = { from = \"name\" }\n\
                 Buyer__c = { from = \"relation.buyer\", create = { type = \"MasterDetail\", to = \"Contact\", relationship = \"Order_Buyer\" } }\n\
                 Ticket__c = { from = \"relation.ticket\", create = { type = \"Lookup\", to = \"Case\", relationship = \"Order_Ticket\" } }\n";
    let text = format!("{}\n{lines}", Mapping::default_text());
    let files = package(&Mapping::parse(&text).unwrap());
    let text = |path: &str| &files.iter().find(|f| f.path == path).unwrap().content;
    let manifest = text("package.xml");
    assert!(manifest.contains("<members>Order__c</members>"));
    assert!(manifest.contains("<name>CustomObject</name>"));
    let object = text("objects/Order__c.object");
    for wanted in [
        "<deploymentStatus>Deployed</deploymentStatus>",
        "<label>Order</label>",
        "<pluralLabel>Orders</pluralLabel>",
        "<sharingModel>ControlledByParent</sharingModel>",
        "<type>MasterDetail</type>",
        "<referenceTo>Contact</referenceTo>",
        "<relationshipName>Order_Buyer</relationshipName>",
        "<deleteConstraint>SetNull</deleteConstraint>",
    ] {
        assert!(object.contains(wanted), "{wanted} in:\n{object}");
    }
    let granted = text("permissionsets/Deskferry_Migration.permissionset");
    assert!(granted.contains("<object>Order__c</object>"));
    assert!(granted.contains("<field>Order__c.Ticket__c</field>"));
    assert!(!granted.contains("Order__c.Buyer__c"));
    // An object of the platform's own is never described.
    assert!(!text("objects/Case.object").contains("<sharingModel>"));
}

#[test]
fn the_package_names_every_field_of_the_mapping_thrice() {
    let mapping = Mapping::parse(Mapping::default_text()).unwrap();
    let files = package(&mapping);
    let text = |path: &str| {
        let file = files.iter().find(|f| f.path == path);
        &file.unwrap_or_else(|| panic!("{path} is missing")).content
    };
    let fields = mapping.required_fields();
    assert!(fields.len() > 10);
    for field in &fields {
        let full = format!("{}.{}", field.object, field.name);
        assert!(text("package.xml").contains(&format!("<members>{full}</members>")));
        let object = text(&format!("objects/{}.object", field.object));
        assert!(object.contains(&format!("<fullName>{}</fullName>", field.name)));
        let granted = text("permissionsets/Deskferry_Migration.permissionset");
        assert!(
            granted.contains(&format!("<field>{full}</field>")),
            "{full}"
        );
        assert!(
            !matches!(field.object.as_str(), "CaseComment"),
            "{full}: that object takes no custom fields"
        );
    }
}

#[test]
fn a_zip_holds_each_file_and_says_where() {
    let files = vec![
        PackageFile {
            path: "package.xml".into(),
            content: "<a/>".into(),
        },
        PackageFile {
            path: "objects/Case.object".into(),
            content: "<b/>".into(),
        },
    ];
    let bytes = zip(&files);
    assert_eq!(bytes, zip(&files), "the same package is the same bytes");
    let end = &bytes[bytes.len() - 22..];
    assert_eq!(&end[..4], b"PK\x05\x06");
    assert_eq!(u16::from_le_bytes([end[10], end[11]]), 2);
    let start = u32::from_le_bytes([end[16], end[17], end[18], end[19]]) as usize;
    assert_eq!(&bytes[start..start + 4], b"PK\x01\x02");
    let content = bytes.windows(4).filter(|w| *w == b"<a/>").count();
    assert_eq!(content, 1);
    assert_eq!(
        zip::crc(b"123456789"),
        0xCBF4_3926,
        "the standard check value"
    );
}

#[test]
fn record_types_come_with_their_process_and_are_given_to_the_migration_user() {
    let text = Mapping::default_text().replacen(
        "[policy]\n",
        "[policy]\nrecord_type_by = \"type\"\nrecord_types = { Question = \"Question\", \"Bug\" = \"Trouble\" }\n",
        1,
    );
    let files = package(&Mapping::parse(&text).unwrap());
    let text = |path: &str| &files.iter().find(|f| f.path == path).unwrap().content;
    let manifest = text("package.xml");
    for member in ["Case.Question", "Case.Trouble", "Case.Migrated_Cases"] {
        assert!(
            manifest.contains(&format!("<members>{member}</members>")),
            "{manifest}"
        );
    }
    let object = text("objects/Case.object");
    let flat: String = object.split_whitespace().collect();
    for wanted in [
        "<businessProcesses><fullName>Migrated_Cases</fullName><isActive>true</isActive>\
         <values><fullName>New</fullName><default>true</default></values>",
        "<values><fullName>Closed</fullName><default>false</default></values>",
        "<recordTypes><fullName>Trouble</fullName><active>true</active>\
         <businessProcess>Migrated_Cases</businessProcess><label>Bug</label>",
        "<picklistValues><picklist>Origin</picklist><values><fullName>Email</fullName>",
    ] {
        assert!(flat.contains(wanted), "{wanted} in:\n{object}");
    }
    assert_eq!(object.matches("<businessProcesses>").count(), 1);
    let granted = text("permissionsets/Deskferry_Migration.permissionset");
    assert!(granted.contains("<recordType>Case.Question</recordType>"));
}
