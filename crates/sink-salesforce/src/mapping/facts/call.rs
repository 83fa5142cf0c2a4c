use std::borrow::Cow;

use deskferry_core::model::{ChannelKind, CustomValues, Direction, Message};

use super::comment::words;
use super::{Common, Facts};
use crate::mapping::text;
use crate::mapping::value::Fact;

/// The most characters of an address: one that was cut would lead nowhere.
const ADDRESS: usize = 255;

/// What of other rows a call refers to.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct CallLinks {
    pub(crate) case: String,
    /// Whom the call was with.
    pub(crate) contact: Option<String>,
    /// The agent's User, where rows can be theirs.
    pub(crate) owner: Option<String>,
    /// What was said, and whatever no field holds.
    pub(crate) text: String,
}

/// A telephone call that is a task.
pub(crate) struct CallFacts<'a> {
    pub(crate) common: Common<'a>,
    pub(crate) message: &'a Message,
    pub(crate) links: &'a CallLinks,
}

impl Facts for CallFacts<'_> {
    fn fact(&self, name: &str) -> Fact<'_> {
        let (m, l) = (self.message, self.links);
        let call = m.call.as_ref();
        match name {
            "case" => Fact::maybe_id(Some(&l.case)),
            "contact" => Fact::maybe_id(l.contact.as_deref()),
            "owner" => Fact::maybe_id(l.owner.as_deref()),
            "sort" => Fact::Choice {
                is: "call",
                raw: "",
            },
            "state" => Fact::Choice {
                is: "done",
                raw: "",
            },
            "direction" => Fact::Choice {
                is: match m.direction {
                    Direction::In => "in",
                    Direction::Out => "out",
                    Direction::Internal => "internal",
                },
                raw: "",
            },
            "channel.name" => match m.channel.is {
                ChannelKind::Other => Fact::text(&m.channel.raw),
                known => Fact::text(known.name()),
            },
            "author.name" => Fact::text(&m.author.name),
            "author.role" => Fact::text(m.author.role.name()),
            "sent" => Fact::Time(m.sent_at),
            "subject" => {
                let own = m.subject.as_deref().map(text::collapse);
                let own = own.filter(|own| !own.is_empty());
                Fact::Text(own.map_or(Cow::Borrowed("Call"), Cow::Owned))
            }
            "text" => Fact::text(&l.text),
            "call.seconds" => Fact::maybe_count(call.and_then(|c| c.seconds)),
            "call.disposition" => Fact::maybe_text(call.and_then(|c| c.disposition.as_deref())),
            "call.from" => Fact::maybe_text(call.and_then(|c| c.from.as_deref())),
            "call.to" => Fact::maybe_text(call.and_then(|c| c.to.as_deref())),
            "call.recording" => {
                let address = call.and_then(|c| c.recording.as_deref());
                Fact::maybe_text(address.filter(|address| text::length(address) <= ADDRESS))
            }
            _ => self.common.fact(name),
        }
    }

    fn custom(&self) -> &CustomValues {
        &self.message.meta.custom
    }
}

/// The words of a call, and a line for whatever no field of a task holds: tasks have no long field besides this one.
pub(crate) fn call_text(
    message: &Message,
    files: &[String],
    taken: &dyn Fn(&str) -> bool,
) -> String {
    let mut lines: Vec<String> = Vec::new();
    let said = words(message);
    if !said.is_empty() {
        lines.push(said);
    }
    let call = message.call.as_ref();
    let mut line = |name: &str, value: Option<Cow<'_, str>>| {
        let value = value.map(|value| text::clean(&value).trim().to_owned());
        if let Some(value) = value.filter(|value| !value.is_empty()) {
            lines.push(format!("{name}: {value}"));
        }
    };
    line("By", Some(text::collapse(&message.author.name).into()));
    line("From", call.and_then(|c| c.from.as_deref()).map(Into::into));
    line("To", call.and_then(|c| c.to.as_deref()).map(Into::into));
    let recording = call.and_then(|c| c.recording.as_deref());
    line("Recording", recording.map(Into::into));
    for (key, value) in &message.meta.custom {
        if !taken(key) {
            line(key, Some(Fact::custom(value).shown().into()));
        }
    }
    if !files.is_empty() {
        lines.push(format!("[Files: {}]", files.join("; ")));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::super::comment::tests::message;
    use super::*;
    use deskferry_core::model::{Call, CustomValue};

    #[test]
    fn whatever_no_field_of_a_task_holds_stands_in_its_text() {
        let mut call = message("Ben  Agent");
        call.body.text = Some(" We agreed\r\n".into());
        call.call = Some(Call {
            from: Some("+47 22".into()),
            recording: Some("https://example.org/1".into()),
            ..Call::default()
        });
        let custom = &mut call.meta.custom;
        custom.insert("mood".into(), CustomValue::Text("good".into()));
        custom.insert("line".into(), CustomValue::Number("7".into()));
        let files = ["a.mp3".to_owned()];
        assert_eq!(
            call_text(&call, &files, &|key| key == "line"),
            "We agreed\nBy: Ben Agent\nFrom: +47 22\nRecording: https://example.org/1\nmood: good\n[Files: a.mp3]"
        );
    }
}
