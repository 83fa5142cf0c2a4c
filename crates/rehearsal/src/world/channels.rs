//! More ways to write in than mail, chat and two networks. Only where the world was asked for them
//! ([`WorldSpec::channels`](super::WorldSpec::channels)).

use super::model::{Channel, Conversation, MessageKind};
use super::scenario::ROUND;

/// What comes by which channel, by its place in a round: conversations that are plain mails otherwise.
const CHANNELS: [(u64, &str); 4] = [
    (56, "WHATSAPP"),
    (57, "SMS"),
    (58, "VOICE"),
    (59, "INSTAGRAM"),
];

/// The same conversation by another channel, where it is one of those.
pub(super) fn spread(mut conversation: Conversation) -> Conversation {
    let place = (conversation.id - 1) % ROUND;
    let Some((_, channel)) = CHANNELS.iter().find(|(own, _)| *own == place) else {
        return conversation;
    };
    conversation.channel = Channel::Other((*channel).to_owned());
    for message in &mut conversation.messages {
        if matches!(message.kind, MessageKind::Note { .. }) {
            continue;
        }
        message.kind = MessageKind::Other {
            channel: (*channel).to_owned(),
            original: channel.to_lowercase(),
        };
        message.mail = None;
        message.subject = None;
        if message.text.is_some() {
            message.html = None;
        }
    }
    conversation
}

#[cfg(test)]
mod tests {
    use super::super::{World, WorldSpec};
    use super::*;

    #[test]
    fn a_world_that_was_asked_for_them_has_every_channel_and_others_have_none() {
        let plain = World::generate(WorldSpec::new(1, 60));
        let world = World::generate(WorldSpec::new(1, 60).with_channels());
        for (place, channel) in CHANNELS {
            let one = world.conversation(place).unwrap();
            assert_eq!(one.channel, Channel::Other(channel.to_owned()));
            assert!(one.messages.iter().all(|message| message.mail.is_none()));
            assert_eq!(plain.conversation(place).unwrap().channel, Channel::Mail);
        }
        assert_eq!(plain.conversation(3), world.conversation(3));
    }
}
