use std::collections::BTreeSet;
use std::fs;

use super::*;

fn default_world() -> World {
    World::generate(WorldSpec::default())
}

#[test]
fn the_same_number_gives_the_same_world_and_another_number_another() {
    let lines = |spec: WorldSpec| {
        let world = World::generate(spec);
        let conversations: Vec<_> = world.conversations().map(Cow::into_owned).collect();
        serde_json::to_string(&(world.lists(), conversations)).unwrap()
    };
    let spec = WorldSpec::new(5, 130).hostile();
    assert_eq!(lines(spec.clone()), lines(spec));
    assert_ne!(lines(WorldSpec::new(5, 130)), lines(WorldSpec::new(6, 130)));
}

#[test]
fn a_conversation_is_the_same_whether_asked_for_alone_or_in_order() {
    let world = default_world();
    let in_order: Vec<_> = world.conversations().map(Cow::into_owned).collect();
    for id in [300, 1, 150] {
        assert_eq!(
            world.conversation_by_id(id).unwrap().into_owned(),
            in_order[usize::try_from(id - 1).unwrap()]
        );
    }
    assert!(world.conversation_by_id(0).is_none() && world.conversation_by_id(301).is_none());
}

#[test]
fn everything_can_be_found_again_by_its_number_and_numbers_are_unique() {
    let world = default_world();
    let (mut messages, mut files, mut tokens) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    for conversation in world.conversations() {
        let mut last = conversation.created;
        for message in &conversation.messages {
            assert!(messages.insert(message.id));
            assert_eq!(
                world.conversation_of_message(message.id).unwrap().id,
                conversation.id
            );
            assert!(message.files.iter().all(|file| files.insert(file.id)));
            for image in &message.images {
                tokens.insert(image.token.clone());
                assert_eq!(world.image(&image.token).unwrap().content, image.content);
            }
            assert!(
                message.sent >= last,
                "conversation {} goes back in time",
                conversation.id
            );
            last = message.sent;
        }
        assert!(conversation.updated >= last);
    }
    assert!(messages.len() > 1_000 && tokens.len() > 10);
}

type Wanted = (&'static str, fn(&World, &Conversation) -> bool);

#[test]
fn the_default_world_has_everything_that_a_helpdesk_has() {
    fn any(c: &Conversation, what: impl Fn(&Message) -> bool) -> bool {
        c.messages.iter().any(what)
    }
    fn kind(c: &Conversation, what: impl Fn(&MessageKind) -> bool) -> bool {
        any(c, |m| what(&m.kind))
    }
    fn encoded(text: &str) -> usize {
        text.chars()
            .map(|c| match c {
                '&' | '\'' => 5,
                '<' | '>' => 4,
                '"' => 6,
                '\n' => 2,
                c => c.len_utf8(),
            })
            .sum()
    }
    fn requester(world: &World, c: &Conversation) -> Person {
        world.person(c.requester).cloned().unwrap()
    }
    let wanted: &[Wanted] = &[
        ("mail in", |_, c| any(c, |m| m.mail.is_some() && m.incoming)),
        ("mail out", |_, c| {
            any(c, |m| m.mail.is_some() && !m.incoming)
        }),
        ("mail to, cc and bcc", |_, c| {
            any(c, |m| {
                m.mail
                    .as_ref()
                    .is_some_and(|m| !m.bcc.is_empty() && !m.cc.is_empty() && !m.to.is_empty())
            })
        }),
        ("mail from a third party", |_, c| {
            any(c, |m| m.mail.is_some() && m.incoming && !m.by_requester)
        }),
        ("mail without original", |_, c| {
            any(c, |m| m.mail.as_ref().is_some_and(|m| m.headers.is_none()))
        }),
        ("mail that names a missing parent", |_, c| {
            any(c, |m| {
                m.mail
                    .as_ref()
                    .is_some_and(|m| m.references.iter().any(|id| id.starts_with("never")))
            })
        }),
        ("help centre", |_, c| {
            kind(c, |k| *k == MessageKind::HelpCentre)
        }),
        ("chat", |_, c| kind(c, |k| *k == MessageKind::Chat)),
        ("tweet", |_, c| kind(c, |k| *k == MessageKind::Tweet)),
        ("facebook", |_, c| kind(c, |k| *k == MessageKind::Facebook)),
        ("unknown kind", |_, c| {
            kind(c, |k| matches!(k, MessageKind::Other { .. }))
        }),
        ("pinned note", |_, c| {
            kind(c, |k| matches!(k, MessageKind::Note { pinned: true, .. }))
        }),
        ("note on a person", |_, c| {
            kind(c, |k| {
                matches!(
                    k,
                    MessageKind::Note {
                        on: NoteOn::Person(_),
                        ..
                    }
                )
            })
        }),
        ("note on a company", |_, c| {
            kind(c, |k| {
                matches!(
                    k,
                    MessageKind::Note {
                        on: NoteOn::Company(_),
                        ..
                    }
                )
            })
        }),
        ("HTML note", |_, c| {
            any(c, |m| {
                matches!(m.kind, MessageKind::Note { .. }) && m.html.is_some() && m.text.is_none()
            })
        }),
        ("trigger", |_, c| {
            any(c, |m| matches!(m.author, Author::Trigger(_)))
        }),
        ("monitor", |_, c| {
            any(c, |m| matches!(m.author, Author::Monitor(_)))
        }),
        ("nobody", |_, c| any(c, |m| m.author == Author::Nobody)),
        ("unknown channel", |_, c| {
            matches!(c.channel, Channel::Other(_))
        }),
        ("picture by address, shown again in a quote", |_, c| {
            c.messages
                .iter()
                .filter(|m| m.html.as_ref().is_some_and(|h| h.contains("media:")))
                .count()
                > 1
        }),
        ("picture by content id", |_, c| {
            any(c, |m| m.html.as_ref().is_some_and(|h| h.contains("cid:")))
        }),
        ("table", |_, c| {
            any(c, |m| m.html.as_ref().is_some_and(|h| h.contains("<table")))
        }),
        ("overlong body", |_, c| {
            any(c, |m| {
                m.html.as_ref().is_some_and(|h| h.chars().count() > 131_072)
            })
        }),
        ("body overlong by encoding only", |_, c| {
            any(c, |m| {
                m.text
                    .as_ref()
                    .is_some_and(|t| t.chars().count() < 131_072 && encoded(t) > 131_072)
            })
        }),
        ("long note", |_, c| {
            any(c, |m| {
                m.mail.is_none() && m.text.as_ref().is_some_and(|t| encoded(t) > 8_000)
            })
        }),
        ("note long by encoding only", |_, c| {
            any(c, |m| {
                m.mail.is_none()
                    && m.text
                        .as_ref()
                        .is_some_and(|t| t.len() < 4_000 && encoded(t) > 4_000)
            })
        }),
        ("empty mail", |_, c| {
            any(c, |m| {
                m.mail.is_some()
                    && m.text.as_deref().unwrap_or("").is_empty()
                    && m.html.as_deref().unwrap_or("").is_empty()
            })
        }),
        ("empty message without files", |_, c| {
            any(c, |m| {
                m.mail.is_none() && m.files.is_empty() && m.text.as_deref() == Some("")
            })
        }),
        ("several messages in one second", |_, c| {
            c.messages
                .windows(3)
                .any(|w| w[0].sent == w[1].sent && w[1].sent == w[2].sent)
        }),
        ("more than two pages of posts", |_, c| {
            c.messages.len() > 200
        }),
        ("empty file", |_, c| {
            any(c, |m| m.files.iter().any(|f| f.content.is_empty()))
        }),
        ("file of several MB", |_, c| {
            any(c, |m| m.files.iter().any(|f| f.content.len() > 4_000_000))
        }),
        ("nameless file", |_, c| {
            any(c, |m| m.files.iter().any(|f| f.name.is_none()))
        }),
        ("two files of one name in a message", |_, c| {
            any(c, |m| {
                m.files
                    .windows(2)
                    .any(|w| w[0].name.is_some() && w[0].name == w[1].name)
            })
        }),
        ("path in a file name", |_, c| {
            any(c, |m| {
                m.files
                    .iter()
                    .any(|f| f.name.as_ref().is_some_and(|n| n.contains('\\')))
            })
        }),
        ("customer's JSON", |_, c| {
            any(c, |m| {
                m.files.iter().any(|f| f.media_type == "application/json")
            })
        }),
        ("same file twice in one conversation", |_, c| {
            let all: Vec<_> = c
                .messages
                .iter()
                .flat_map(|m| &m.files)
                .map(|f| &f.content)
                .collect();
            all.iter().enumerate().any(|(n, f)| all[..n].contains(f))
        }),
        ("custom status", |w, c| {
            w.status(c.status)
                .is_some_and(|s| s.kind == StatusKind::Custom && !s.deleted)
        }),
        ("deleted status", |w, c| {
            w.status(c.status).is_some_and(|s| s.deleted)
        }),
        ("priority of its own level", |w, c| {
            c.priority
                .and_then(|p| w.priority(p))
                .is_some_and(|p| p.level > 4)
        }),
        ("no priority", |_, c| c.priority.is_none()),
        ("bad rating", |_, c| c.rating == Some(Rating::Bad)),
        ("tag with a bar", |_, c| {
            c.tags.iter().any(|t| t.name.contains('|'))
        }),
        ("value of a deleted field", |w, c| {
            c.custom.iter().any(|v| w.field(v.field).is_none())
        }),
        ("deleted option", |_, c| {
            c.custom
                .iter()
                .any(|v| v.value == FieldValue::Choice(setup::DELETED_OPTION))
        }),
        ("all custom fields", |_, c| c.custom.len() >= 9),
        ("trash", |_, c| c.state == ConversationState::Trash),
        ("suspended", |_, c| c.state == ConversationState::Suspended),
        ("merged", |_, c| {
            c.merged_into.is_some() && c.messages.is_empty()
        }),
        ("overlong subject with line breaks", |_, c| {
            c.subject.chars().count() > 255 && c.subject.contains('\n')
        }),
        ("no subject", |_, c| c.subject.is_empty()),
        ("names a company", |_, c| c.company.is_some()),
        ("assignee who left", |w, c| {
            c.assignee
                .and_then(|a| w.person(a))
                .is_some_and(|a| !a.enabled)
        }),
        ("asked by staff", |w, c| requester(w, c).role.is_staff()),
        ("asked by somebody without mail", |w, c| {
            requester(w, c).emails.is_empty()
        }),
        ("asked by somebody with several addresses", |w, c| {
            requester(w, c).emails.len() > 2
        }),
        ("right to left", |_, c| {
            any(c, |m| {
                m.text
                    .as_ref()
                    .is_some_and(|t| t.contains('\u{202B}') || t.contains('\u{200F}'))
            })
        }),
        ("emoji with joiners", |_, c| {
            any(c, |m| {
                m.text.as_ref().is_some_and(|t| t.contains("👨\u{200D}👩"))
            })
        }),
        ("Thai", |_, c| {
            any(c, |m| {
                m.text.as_ref().is_some_and(|t| t.contains('\u{0E01}'))
            })
        }),
    ];
    let world = default_world();
    let conversations: Vec<_> = world.conversations().map(Cow::into_owned).collect();
    let missing: Vec<_> = wanted
        .iter()
        .filter(|(_, holds)| !conversations.iter().any(|c| holds(&world, c)))
        .map(|(what, _)| what)
        .collect();
    assert!(missing.is_empty(), "missing: {missing:?}");
    let bytes: u64 = conversations
        .iter()
        .flat_map(|c| &c.messages)
        .flat_map(|m| &m.files)
        .map(|f| f.content.len())
        .sum();
    assert!(bytes < 60_000_000, "{bytes} bytes of files");
    let shared = |c: &Conversation| {
        c.messages.iter().flat_map(|m| &m.files).any(|f| {
            f.content
                == FileContent::Made {
                    seed: 21,
                    look: Look::Binary,
                    size: 50_000,
                }
        })
    };
    assert_eq!(
        conversations.iter().filter(|c| shared(c)).count(),
        2,
        "one file on two conversations"
    );
}

#[test]
fn two_customers_share_an_address_and_two_companies_a_name() {
    let world = default_world();
    let twins: Vec<_> = world
        .lists()
        .people
        .iter()
        .filter(|p| {
            p.emails
                .iter()
                .any(|e| e.eq_ignore_ascii_case("twin@people.example"))
        })
        .collect();
    assert_eq!(twins.len(), 2);
    assert_eq!(
        world.lists().companies[0].name,
        world.lists().companies[1].name
    );
}

#[test]
fn only_a_hostile_world_is_broken() {
    let broken = |world: &World| {
        let mut found = BTreeSet::new();
        for c in world.conversations() {
            found.extend(world.status(c.status).is_none().then_some("status"));
            found.extend(
                c.assignee
                    .filter(|a| world.person(*a).is_none())
                    .map(|_| "assignee"),
            );
            for m in &c.messages {
                found.extend(m.files.iter().any(|f| f.lost).then_some("lost file"));
                found.extend(
                    m.files
                        .iter()
                        .any(|f| f.claimed_size.is_some())
                        .then_some("size"),
                );
                found.extend(m.images.iter().any(|i| i.lost).then_some("lost picture"));
            }
        }
        found
    };
    assert!(broken(&default_world()).is_empty());
    let all = BTreeSet::from(["assignee", "lost file", "lost picture", "size", "status"]);
    assert_eq!(
        broken(&World::generate(WorldSpec::new(1, 60).hostile())),
        all
    );
}

#[test]
fn a_world_without_conversations_is_a_world() {
    let world = World::given(Lists::default());
    assert!(world.is_empty() && world.conversation(0).is_none());
    assert!(!world.suggested_users().is_empty());
}

#[test]
fn nasty_mails_are_read_and_threaded() {
    let folder = tempfile::tempdir().unwrap();
    let mails: [(&str, &[u8]); 8] = [
        ("1.eml", b"From: Ada <ada@example.org>\r\nTo: help@x.example\r\nSubject: Hi\r\nMessage-ID: <1@x>\r\nDate: Mon, 1 Feb 2021 10:00:00 +0000\r\n\r\nHello\r\nthere\r\n"),
        ("2.eml", b"From: ADA@example.org\nMessage-Id: <2@x>\nIn-Reply-To: Your mail of Monday\n <1@x>\nDate: Mon, 1 Feb 2021 11:00:00 +0000\n\nAgain"),
        ("3.eml", b"From: Bo <bo@example.org>\nReferences: <missing@x>\n <2@x>\n\nno date, no id"),
        ("4.txt", b"From: =?x-unknown?Q?J=FCrg?= <j@example.org>\nContent-Type: text/plain; charset=none-such\n\nraw \xff\xfe bytes \x0c here"),
        ("5", b"\n\nno headers at all"),
        ("6.eml", b""),
        ("7.eml", b"From: a@b.example\nMessage-ID: <1@x>\nDate: Tue, 2 Feb 2038 11:00:00 +0000\n\nduplicate id, future date"),
        ("8.eml", b"From: <c@d.example>\nContent-Type: multipart/mixed; boundary=b\n\n--b\nContent-Type: text/html\n\n<p>see <img src=\"cid:i@x\"></p>\n--b\nContent-Type: image/png\nContent-ID: <i@x>\nContent-Disposition: inline\nContent-Transfer-Encoding: base64\n\niVBORw0KGgo=\n--b\nContent-Type: application/pdf; name=\"../x.pdf\"\nContent-Disposition: attachment\n\npdf\n--b--\n"),
    ];
    for (name, bytes) in mails {
        fs::write(folder.path().join(name), bytes).unwrap();
    }
    fs::write(folder.path().join("notes.json"), b"{}").unwrap();
    let world = World::from_mail_dir(folder.path()).unwrap();
    let all: Vec<_> = world.conversations().map(Cow::into_owned).collect();
    assert_eq!(
        all.iter().map(|c| c.messages.len()).sum::<usize>(),
        8,
        "no mail is lost"
    );
    let thread = all.iter().find(|c| c.messages.len() > 1).unwrap();
    assert_eq!(thread.messages.len(), 4);
    let mail = |n: usize| {
        thread
            .messages
            .iter()
            .find(|m| m.text.as_deref() == Some(["Hello\nthere\n", "Again"][n]))
            .unwrap()
    };
    assert_eq!(
        mail(0).author,
        mail(1).author,
        "an address is one person, case ignored"
    );
    assert_eq!(mail(1).mail.as_ref().unwrap().in_reply_to, ["1@x"]);
    let picture = all
        .iter()
        .flat_map(|c| &c.messages)
        .find(|m| !m.files.is_empty())
        .unwrap();
    assert_eq!(picture.files.len(), 2);
    assert_eq!(picture.files[0].content_id.as_deref(), Some("i@x"));
    assert_eq!(picture.files[1].name.as_deref(), Some("../x.pdf"));
    let years = all
        .iter()
        .flat_map(|c| &c.messages)
        .map(|m| chrono::Datelike::year(&m.sent));
    assert!(years.into_iter().all(|year| (2002..2025).contains(&year)));
}
