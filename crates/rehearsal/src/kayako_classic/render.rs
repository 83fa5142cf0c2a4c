//! The world as XML, the way the reference shows it: texts in CDATA, numbers plain, times in seconds.

use std::fmt::Write as _;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use chrono::{DateTime, Utc};

use super::DayOrder;
use super::desk::Desk;
use super::held::{UNLISTED_STATUS, mask};
use crate::oracle::usual_value;
use crate::world::{
    Author, Channel, Company, Conversation, CustomValue, FieldDefinition, FieldKind, FieldValue,
    File, KnowledgeArticle, KnowledgeCategory, Message, MessageKind, NoteOn, Person, Readers, Role,
    StatusKind, TextState,
};

/// Categories that say who may read: those of the world say nothing of it.
const FOR_STAFF: u64 = 9_001;
const FOR_USERS: u64 = 9_002;

/// A growing answer.
#[derive(Default)]
pub(super) struct Xml(pub(super) String);

impl Xml {
    /// Writing into a text cannot fail.
    fn push(&mut self, text: std::fmt::Arguments<'_>) {
        let _ = self.0.write_fmt(text);
    }

    fn open(&mut self, tag: &str) {
        self.push(format_args!("<{tag}>"));
    }

    fn close(&mut self, tag: &str) {
        self.push(format_args!("</{tag}>\n"));
    }

    fn number(&mut self, tag: &str, value: u64) {
        self.push(format_args!("<{tag}>{value}</{tag}>\n"));
    }

    fn time(&mut self, tag: &str, at: DateTime<Utc>) {
        self.push(format_args!("<{tag}>{}</{tag}>\n", at.timestamp()));
    }

    fn text(&mut self, tag: &str, value: &str) {
        match value.is_empty() {
            true => self.push(format_args!("<{tag} />\n")),
            false => {
                let safe = value.replace("]]>", "]]]]><![CDATA[>");
                self.push(format_args!("<{tag}><![CDATA[{safe}]]></{tag}>\n"));
            }
        }
    }

    /// A list: its rows between the name of many.
    pub(super) fn list<T>(
        many: &str,
        rows: impl IntoIterator<Item = T>,
        one: impl Fn(&mut Self, T),
    ) -> String {
        let mut xml = Self::default();
        xml.push(format_args!("<{many}>\n"));
        for row in rows {
            one(&mut xml, row);
        }
        xml.close(many);
        xml.0
    }
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
        .replace('"', "&quot;")
}

/// What is said of everything by number.
pub(super) struct Ink<'a> {
    pub(super) desk: &'a Desk,
    pub(super) days: DayOrder,
}

impl Ink<'_> {
    pub(super) fn departments(&self) -> String {
        Xml::list("departments", &self.desk.lists.teams, |xml, team| {
            xml.open("department");
            xml.text("id", &team.id.to_string());
            xml.text("title", &team.name);
            xml.text("type", "public");
            xml.text("module", "tickets");
            xml.text("app", "tickets");
            xml.text("displayorder", &team.id.to_string());
            xml.text("parentdepartmentid", "0");
            xml.text("uservisibilitycustom", "0");
            xml.push(format_args!("<usergroups>\n</usergroups>\n"));
            xml.close("department");
        })
    }

    pub(super) fn staff(&self) -> String {
        Xml::list("staffusers", self.desk.staff(), |xml, person| {
            let (first, last) = person.name.rsplit_once(' ').unwrap_or((&person.name, ""));
            xml.open("staff");
            xml.number("id", person.id);
            xml.number("staffgroupid", group(person.role));
            xml.text("firstname", first);
            xml.text("lastname", last);
            xml.text("fullname", &person.name);
            xml.text("username", &format!("staff{}", person.id));
            xml.text("email", person.emails.first().map_or("", String::as_str));
            xml.text("designation", person.title.as_deref().unwrap_or_default());
            xml.number("isenabled", person.enabled.into());
            xml.text("timezone", "");
            xml.number("enabledst", 0);
            xml.text("signature", "");
            xml.close("staff");
        })
    }

    pub(super) fn staff_groups(&self) -> String {
        let groups = [(1, "Administrator"), (2, "Staff"), (3, "Collaborators")];
        titles("staffgroups", "staffgroup", groups)
    }

    pub(super) fn user_groups(&self) -> String {
        let groups = [(1, "Guest"), (2, "Registered")];
        titles("usergroups", "usergroup", groups)
    }

    pub(super) fn organizations(&self) -> String {
        let companies = &self.desk.lists.companies;
        Xml::list("userorganizations", companies, organization)
    }

    /// Users from this number on.
    pub(super) fn users(&self, from: u64, most: usize) -> String {
        let users = self.desk.users().filter(|user| user.id >= from).take(most);
        Xml::list("users", users, user)
    }

    pub(super) fn statuses(&self) -> String {
        let statuses = self.desk.lists.statuses.iter();
        let listed = statuses.filter(|status| status.id != UNLISTED_STATUS);
        Xml::list("ticketstatuses", listed, |xml, status| {
            let over = matches!(status.kind, StatusKind::Completed | StatusKind::Closed);
            xml.open("ticketstatus");
            xml.number("id", status.id);
            xml.text("title", &status.label);
            xml.number("displayorder", status.id);
            xml.number("departmentid", 0);
            xml.text("type", "public");
            xml.number("markasresolved", over.into());
            xml.close("ticketstatus");
        })
    }

    pub(super) fn priorities(&self) -> String {
        let rows = self.desk.lists.priorities.iter();
        let rows = rows.map(|row| (row.id, row.label.as_str()));
        titles("ticketpriorities", "ticketpriority", rows)
    }

    pub(super) fn types(&self) -> String {
        let rows = self.desk.lists.case_types.iter();
        let rows = rows.map(|row| (row.id, row.label.as_str()));
        titles("tickettypes", "tickettype", rows)
    }

    pub(super) fn fields(&self) -> String {
        Xml::list("customfields", &self.desk.lists.fields, |xml, field| {
            xml.push(format_args!(
                "<customfield customfieldid=\"{}\" customfieldgroupid=\"1\" title=\"{}\" fieldtype=\"{}\" fieldname=\"{}\" defaultvalue=\"\" isrequired=\"0\" usereditable=\"1\" staffeditable=\"1\" displayorder=\"{}\" encryptindb=\"0\" description=\"\" />\n",
                field.id,
                escaped(&field.title),
                kind_of(field),
                escaped(&field.key),
                field.id,
            ));
        })
    }

    pub(super) fn options(&self, id: u64) -> Option<String> {
        let field = self.desk.lists.fields.iter().find(|field| field.id == id)?;
        Some(Xml::list(
            "customfieldoptions",
            &field.options,
            |xml, option| {
                xml.push(format_args!(
                "<option customfieldoptionid=\"{}\" customfieldid=\"{id}\" optionvalue=\"{}\" displayorder=\"1\" isselected=\"0\" parentcustomfieldoptionid=\"0\" />\n",
                option.id,
                escaped(&option.label.replace("::", " > ")),
            ));
            },
        ))
    }

    pub(super) fn tickets(&self, tickets: &[Conversation]) -> String {
        Xml::list("tickets", tickets, |xml, ticket| {
            self.ticket(xml, ticket, false)
        })
    }

    pub(super) fn one_ticket(&self, ticket: &Conversation) -> String {
        Xml::list("tickets", [ticket], |xml, ticket| {
            self.ticket(xml, ticket, true)
        })
    }

    fn ticket(&self, xml: &mut Xml, ticket: &Conversation, with_posts: bool) {
        let lists = &self.desk.lists;
        let requester = self.desk.person(ticket.requester);
        let company = ticket
            .company
            .and_then(|id| lists.companies.iter().find(|c| c.id == id));
        let owner = ticket.assignee.and_then(|id| self.desk.person(id));
        xml.push(format_args!(
            "<ticket id=\"{}\" flagtype=\"0\">\n",
            ticket.id
        ));
        xml.text("displayid", &mask(ticket.id));
        xml.number("departmentid", ticket.team.unwrap_or(0));
        xml.number("statusid", ticket.status);
        xml.number("priorityid", ticket.priority.unwrap_or(0));
        xml.number("typeid", ticket.case_type.unwrap_or(0));
        xml.number("userid", ticket.requester);
        xml.text(
            "userorganization",
            company.map_or("", |company| &company.name),
        );
        xml.number("userorganizationid", ticket.company.unwrap_or(0));
        xml.number("ownerstaffid", ticket.assignee.unwrap_or(0));
        xml.text("ownerstaffname", owner.map_or("", |owner| &owner.name));
        xml.text("fullname", requester.map_or("", |person| &person.name));
        let address = requester.and_then(|person| person.emails.first());
        xml.text("email", address.map_or("", String::as_str));
        xml.text("subject", &ticket.subject);
        xml.time("creationtime", ticket.created);
        xml.time("lastactivity", ticket.updated);
        xml.number("slaplanid", 0);
        xml.number("replies", ticket.messages.len() as u64);
        xml.text("ipaddress", "192.0.2.7");
        xml.number("creator", 2);
        xml.number("creationmode", creation_mode(&ticket.channel));
        xml.number("creationtype", 1);
        xml.number("isescalated", 0);
        xml.number("escalationruleid", 0);
        xml.number("templategroupid", 1);
        xml.text("templategroupname", "default");
        let tags: Vec<&str> = ticket.tags.iter().map(|tag| tag.name.as_str()).collect();
        xml.text("tags", &tags.join(" "));
        for message in &ticket.messages {
            self.note(xml, ticket, message);
        }
        if with_posts {
            xml.push(format_args!("<posts>\n"));
            for message in &ticket.messages {
                if !matches!(message.kind, MessageKind::Note { .. }) {
                    self.post(xml, ticket, message);
                }
            }
            xml.close("posts");
        }
        xml.close("ticket");
    }

    fn note(&self, xml: &mut Xml, ticket: &Conversation, message: &Message) {
        let MessageKind::Note { on, .. } = &message.kind else {
            return;
        };
        let (kind, parent) = match on {
            NoteOn::Conversation => ("ticket", format!("ticketid=\"{}\"", ticket.id)),
            NoteOn::Person(id) => ("user", format!("userid=\"{id}\"")),
            NoteOn::Company(id) => ("userorganization", format!("userorganizationid=\"{id}\"")),
        };
        let staff = self
            .author(message.author)
            .filter(|person| person.role.is_staff());
        xml.push(format_args!(
            "<note type=\"{kind}\" id=\"{}\" {parent} notecolor=\"1\" creatorstaffid=\"{}\" forstaffid=\"0\" creatorstaffname=\"{}\" creationdate=\"{}\"><![CDATA[{}]]></note>\n",
            message.id,
            staff.map_or(0, |staff| staff.id),
            staff.map_or_else(String::new, |staff| escaped(&staff.name)),
            message.sent.timestamp(),
            message.text.as_deref().unwrap_or("").replace("]]>", "]]]]><![CDATA[>"),
        ));
    }

    fn author(&self, author: Author) -> Option<&Person> {
        match author {
            Author::Person(id) => self.desk.person(id),
            _ => None,
        }
    }

    fn post(&self, xml: &mut Xml, ticket: &Conversation, message: &Message) {
        let person = self.author(message.author);
        let staff = person.filter(|person| person.role.is_staff());
        let user = person.filter(|person| !person.role.is_staff());
        let creator = match (staff, user) {
            (Some(_), _) => 1,
            (_, Some(user)) if user.id == ticket.requester => 2,
            (_, Some(_)) => 3,
            _ if message.mail.is_some() && message.incoming => 2,
            _ => 1,
        };
        let from = message.mail.as_ref().map(|mail| &mail.from);
        let name = from.map(|from| from.name.clone().unwrap_or_default());
        let name = name.or_else(|| person.map(|person| person.name.clone()));
        let address = from.map(|from| from.address.clone());
        let address = address.or_else(|| person.and_then(|p| p.emails.first().cloned()));
        let to = message.mail.iter().flat_map(|mail| &mail.to);
        let to: Vec<&str> = to.map(|to| to.address.as_str()).collect();
        xml.open("post");
        xml.number("id", message.id);
        xml.number("ticketpostid", message.id);
        xml.number("ticketid", ticket.id);
        xml.time("dateline", message.sent);
        xml.number("userid", user.map_or(0, |user| user.id));
        xml.text("fullname", &name.unwrap_or_default());
        xml.text("email", &address.unwrap_or_default());
        xml.text("emailto", &to.join(", "));
        xml.text("ipaddress", "192.0.2.7");
        xml.number("hasattachments", (!message.files.is_empty()).into());
        xml.number("creator", creator);
        xml.number("isthirdparty", 0);
        xml.number("ishtml", message.html.is_some().into());
        xml.number("isemailed", message.mail.is_some().into());
        xml.number("staffid", staff.map_or(0, |staff| staff.id));
        xml.number("issurveycomment", 0);
        let body = message.html.as_ref().or(message.text.as_ref());
        xml.text("contents", body.map_or("", String::as_str));
        xml.close("post");
    }

    pub(super) fn values(&self, ticket: &Conversation) -> String {
        let mut xml = Xml::default();
        xml.push(format_args!(
            "<customfields>\n<group id=\"1\" title=\"Ticket\">\n"
        ));
        for field in &self.desk.lists.fields {
            let values = ticket.custom.iter();
            let value = values
                .filter(|value| value.field == field.id)
                .map(|value| self.value(field, value))
                .next();
            xml.push(format_args!(
                "<field id=\"{}\" type=\"{}\" name=\"{}\" title=\"{}\"><![CDATA[{}]]></field>\n",
                field.id,
                kind_of(field),
                escaped(&field.key),
                escaped(&field.title),
                value.unwrap_or_default().replace("]]>", "]]]]><![CDATA[>"),
            ));
        }
        xml.push(format_args!("</group>\n</customfields>\n"));
        xml.0
    }

    fn value(&self, field: &FieldDefinition, value: &CustomValue) -> String {
        if let FieldValue::Day(day) = &value.value {
            let form = match self.days {
                DayOrder::MonthFirst => "%m/%d/%Y",
                DayOrder::DayFirst => "%d/%m/%Y",
            };
            return day.format(form).to_string();
        }
        match usual_value(Some(field), &value.value) {
            serde_json::Value::String(text) => text,
            serde_json::Value::Array(all) => {
                let all = all.iter().filter_map(serde_json::Value::as_str);
                let all: Vec<String> = all.map(|one| one.replace(',', "\\,")).collect();
                all.join(", ")
            }
            other => other.to_string(),
        }
    }

    pub(super) fn files(&self, ticket: &Conversation) -> String {
        let posts = ticket.messages.iter();
        let files = posts.flat_map(|post| post.files.iter().map(move |file| (post, file)));
        Xml::list("attachments", files, |xml, (post, file)| {
            attachment(xml, ticket.id, post, file, None);
        })
    }

    /// A file with its bytes.
    pub(super) fn file(&self, ticket: &Conversation, id: u64) -> Option<String> {
        let posts = ticket.messages.iter();
        let mut files = posts.flat_map(|post| post.files.iter().map(move |file| (post, file)));
        let (post, file) = files.find(|(_, file)| file.id == id && !file.lost)?;
        let mut xml = Xml::default();
        xml.push(format_args!("<attachments>\n"));
        let bytes = STANDARD.encode(file.content.bytes());
        attachment(&mut xml, ticket.id, post, file, Some(&bytes));
        xml.close("attachments");
        Some(xml.0)
    }

    pub(super) fn categories(&self) -> String {
        let knowledge = &self.desk.lists.knowledge;
        let mut rows: Vec<(u64, u64, &str, u64, u64)> = Vec::new();
        if !knowledge.articles.is_empty() {
            rows.push((FOR_STAFF, 0, "Internal", 3, 90));
            rows.push((FOR_USERS, 0, "Customers", 2, 91));
        }
        let own = knowledge.categories.iter().map(|one| {
            let position = u64::try_from(one.position).unwrap_or_default();
            (
                one.id,
                one.parent.unwrap_or(0),
                name_of(one),
                if one.parent.is_some() { 4 } else { 2 },
                position,
            )
        });
        rows.extend(own);
        Xml::list(
            "kbcategories",
            rows,
            |xml, (id, parent, title, kind, position)| {
                xml.open("kbcategory");
                xml.number("id", id);
                xml.number("parentkbcategoryid", parent);
                xml.text("title", title);
                xml.number("totalarticles", 0);
                xml.number("categorytype", kind);
                xml.number("displayorder", position);
                xml.number("ispublished", 1);
                xml.number("uservisibilitycustom", (id == FOR_USERS).into());
                xml.close("kbcategory");
            },
        )
    }

    pub(super) fn articles(&self) -> String {
        let articles = &self.desk.lists.knowledge.articles;
        Xml::list("kbarticles", articles, |xml, article| {
            let text = article.texts.first();
            let html = text.map_or("", |text| &text.html);
            xml.open("kbarticle");
            xml.number("kbarticleid", article.id);
            xml.text("contents", &html.replace("media:", "cid:"));
            xml.open("categories");
            xml.number("categoryid", article.category);
            match article.readers {
                Readers::Everybody => {}
                Readers::Customers => xml.number("categoryid", FOR_USERS),
                Readers::Staff => xml.number("categoryid", FOR_STAFF),
            }
            xml.close("categories");
            xml.number("creator", 1);
            xml.number("creatorid", article.author.unwrap_or(0));
            xml.text("subject", text.map_or("", |text| &text.title));
            xml.number("isedited", 1);
            xml.time("editeddateline", article.updated);
            xml.number("views", 0);
            xml.number("hasattachments", (!article.images.is_empty()).into());
            xml.time("dateline", article.created);
            let status = match text.map(|text| text.state) {
                Some(TextState::Published) => 1,
                Some(TextState::Archived) => 3,
                _ => 2,
            };
            xml.number("articlestatus", status);
            xml.close("kbarticle");
        })
    }

    fn article(&self, id: u64) -> Option<&KnowledgeArticle> {
        let mut articles = self.desk.lists.knowledge.articles.iter();
        articles.find(|article| article.id == id)
    }

    pub(super) fn article_files(&self, id: u64) -> Option<String> {
        let article = self.article(id)?;
        let images = (1..).zip(&article.images);
        Some(Xml::list("attachments", images, |xml, (number, image)| {
            xml.open("attachment");
            xml.number("id", id * 100 + number);
            xml.number("kbarticleid", id);
            xml.text("filename", &format!("{}.png", image.token));
            // Written for people here.
            xml.text("filesize", "2.04 KB");
            xml.text("filetype", &image.media_type);
            xml.time("dateline", article.created);
            xml.close("attachment");
        }))
    }

    pub(super) fn article_file(&self, id: u64, file: u64) -> Option<String> {
        let article = self.article(id)?;
        let place = usize::try_from(file.checked_sub(id * 100 + 1)?).ok()?;
        let image = article.images.get(place)?;
        let mut xml = Xml::default();
        xml.open("attachment");
        xml.number("id", file);
        xml.text("contents", &STANDARD.encode(image.content.bytes()));
        xml.close("attachment");
        Some(xml.0)
    }
}

fn name_of(category: &KnowledgeCategory) -> &str {
    category.names.values().next().map_or("", String::as_str)
}

fn titles<'t>(many: &str, one: &str, rows: impl IntoIterator<Item = (u64, &'t str)>) -> String {
    Xml::list(many, rows, |xml, (id, title)| {
        xml.open(one);
        xml.number("id", id);
        xml.text("title", title);
        xml.close(one);
    })
}

fn group(role: Role) -> u64 {
    match role {
        Role::Owner | Role::Admin => 1,
        Role::Collaborator => 3,
        _ => 2,
    }
}

fn organization(xml: &mut Xml, company: &Company) {
    let first = |all: &[String]| all.first().cloned().unwrap_or_default();
    let address = company.addresses.first().cloned().unwrap_or_default();
    xml.open("userorganization");
    xml.number("id", company.id);
    xml.text("name", &company.name);
    xml.text("organizationtype", "restricted");
    let street = [address.street1, address.street2].join("\n");
    xml.text("address", street.trim());
    xml.text("city", &address.city);
    xml.text("state", &address.state);
    xml.text("postalcode", &address.postal_code);
    xml.text("country", &address.country);
    xml.text("phone", &first(&company.phones));
    xml.text("fax", "");
    xml.text("website", &first(&company.websites));
    xml.time("dateline", company.created);
    xml.time("lastupdate", company.updated);
    xml.number("slaplanid", 0);
    xml.number("slaplanexpiry", 0);
    xml.close("userorganization");
}

fn user(xml: &mut Xml, person: &Person) {
    xml.open("user");
    xml.number("id", person.id);
    xml.number("usergroupid", 2);
    xml.text("userrole", "user");
    xml.number("userorganizationid", person.company.unwrap_or(0));
    xml.text("salutation", "");
    xml.number("userexpiry", 0);
    xml.text("fullname", &person.name);
    for address in &person.emails {
        xml.text("email", address);
    }
    xml.text("designation", person.title.as_deref().unwrap_or_default());
    xml.text("phone", person.phones.first().map_or("", String::as_str));
    xml.time("dateline", person.created);
    xml.number("lastvisit", 0);
    xml.number("isenabled", person.enabled.into());
    xml.text("timezone", "");
    xml.number("enabledst", 0);
    xml.number("slaplanid", 0);
    xml.number("slaplanexpiry", 0);
    xml.close("user");
}

fn attachment(xml: &mut Xml, ticket: u64, post: &Message, file: &File, contents: Option<&str>) {
    xml.open("attachment");
    xml.number("id", file.id);
    xml.number("ticketid", ticket);
    xml.number("ticketpostid", post.id);
    xml.text("filename", file.name.as_deref().unwrap_or_default());
    let size = file.claimed_size.unwrap_or_else(|| file.content.len());
    xml.number("filesize", size);
    xml.text("filetype", &file.media_type);
    xml.time("dateline", post.sent);
    if let Some(contents) = contents {
        xml.text("contents", contents);
    }
    xml.close("attachment");
}

fn creation_mode(channel: &Channel) -> u64 {
    match channel {
        Channel::HelpCentre => 1,
        Channel::Note => 2,
        Channel::Mail => 3,
        Channel::Messenger => 5,
        Channel::Twitter | Channel::Facebook | Channel::Other(_) => 4,
    }
}

fn kind_of(field: &FieldDefinition) -> u64 {
    match field.kind {
        FieldKind::Text | FieldKind::Numeric | FieldKind::Decimal => 1,
        FieldKind::TextArea => 2,
        FieldKind::YesNo => 5,
        FieldKind::Select => 6,
        FieldKind::Checkbox => 7,
        FieldKind::CascadingSelect => 9,
        FieldKind::Date => 10,
    }
}
