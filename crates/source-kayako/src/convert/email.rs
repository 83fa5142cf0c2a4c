//! What a mail has besides its words (Kayako reference, section 8).

use deskferry_core::model::{Direction, EmailAddress, EmailHeaders};

use super::Threading;
use crate::wire::{Identity, Original, Post, Recipient};

/// Sender and recipients. The mailbox is in none of Kayako's lists: it is whom customers write to and agents write as.
pub(super) fn email(
    post: &Post,
    original: Option<&Original>,
    direction: Direction,
    threading: Option<Threading>,
) -> EmailHeaders {
    let mailbox = original
        .and_then(|o| o.mailbox.as_ref())
        .and_then(|mailbox| mailbox.address.clone());
    let recipients = original
        .map(|o| o.recipients.as_slice())
        .unwrap_or_default();
    let own = sender(post, original);
    let (from, to) = if direction == Direction::In {
        let listed = addressed(recipients, "TO");
        let helpdesk =
            mailbox.filter(|own| !listed.iter().any(|to| to.address.eq_ignore_ascii_case(own)));
        let to = helpdesk
            .map(|address| EmailAddress {
                address,
                name: String::new(),
            })
            .into_iter()
            .chain(listed)
            .collect();
        (own, to)
    } else {
        let name = own.as_ref().map(|own| own.name.clone()).unwrap_or_default();
        (
            mailbox
                .map(|address| EmailAddress { address, name })
                .or(own),
            addressed(recipients, "TO"),
        )
    };
    let threading = threading.unwrap_or_default();
    EmailHeaders {
        from,
        to,
        cc: addressed(recipients, "CC"),
        bcc: addressed(recipients, "BCC"),
        message_id: threading.message_id,
        in_reply_to: threading.in_reply_to,
        references: threading.references,
        raw: Some(threading.raw).filter(|raw| !raw.is_empty()),
    }
}

fn sender(post: &Post, original: Option<&Original>) -> Option<EmailAddress> {
    let of = |identity: &Option<Identity>| {
        identity
            .as_ref()
            .and_then(|identity| identity.email.clone())
    };
    let address = original
        .and_then(|o| o.email.clone().or_else(|| of(&o.identity)))
        .or_else(|| of(&post.identity))
        .unwrap_or_default();
    let name = original
        .and_then(|o| o.fullname.clone())
        .unwrap_or_default();
    (!address.is_empty() || !name.is_empty()).then_some(EmailAddress { address, name })
}

fn addressed(recipients: &[Recipient], kind: &str) -> Vec<EmailAddress> {
    let those = recipients
        .iter()
        .filter(|recipient| recipient.kind.eq_ignore_ascii_case(kind));
    those
        .filter_map(|recipient| {
            let identity = recipient
                .identity
                .as_ref()
                .and_then(|identity| identity.email.clone());
            let address = identity.or_else(|| recipient.email.clone())?;
            Some(EmailAddress {
                address,
                name: recipient.name.clone(),
            })
        })
        .collect()
}
