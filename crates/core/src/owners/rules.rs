//! What is decided without a person.

use super::file::State;
use super::{Decision, Proposal, Undecided};

/// What is known of an agent.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Case<'a> {
    pub(crate) state: State,
    /// Conversations that they have and that are not over.
    pub(crate) open: u64,
    pub(crate) proposal: &'a Proposal,
}

/// The decision by rule, and why; undecided where a person must.
///
/// Nobody looks after an open case whose owner is inactive, so an inactive user gets closed ones only, and those only where
/// the target allows it.
pub(crate) fn by_rule(case: Case<'_>, undecided: Undecided) -> (Decision, &'static str) {
    let to = |name: &String| Decision::User(name.clone());
    match (&case.proposal.matched, case.open) {
        (Some(user), _) if user.active => (to(&user.name), "the address matches"),
        (Some(user), 0) if user.may_own => (
            to(&user.name),
            "the address matches an inactive user, no open cases",
        ),
        (Some(_), 0) => (
            Decision::Legacy,
            "the user is inactive and may own nothing, no open cases",
        ),
        (None, 0) => match case.state {
            State::Active => (Decision::Legacy, "no user, no open cases"),
            State::Departed => (Decision::Legacy, "departed, no open cases"),
            State::NotRead => (Decision::Legacy, "not read, no open cases"),
        },
        _ => match undecided {
            Undecided::Hold => (Decision::Undecided, ""),
            Undecided::Legacy => (Decision::Legacy, "--undecided legacy"),
            Undecided::NameOnly => (Decision::NameOnly, "--undecided name-only"),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::super::Candidate;
    use super::*;

    #[test]
    fn a_person_is_asked_only_where_open_cases_have_nobody() {
        let user = |active, may_own| Proposal {
            matched: Some(Candidate {
                name: "u".into(),
                active,
                may_own,
            }),
            candidates: Vec::new(),
        };
        let (active, inactive, allowed) = (user(true, true), user(false, false), user(false, true));
        let nobody = Proposal::default();
        let (to_user, legacy) = (Decision::User("u".into()), Decision::Legacy);
        let asked = Decision::Undecided;
        for (state, open, proposal, expected) in [
            (State::Active, 5, &active, &to_user),
            (State::Departed, 5, &active, &to_user),
            (State::Active, 0, &nobody, &legacy),
            (State::Departed, 0, &nobody, &legacy),
            (State::NotRead, 0, &nobody, &legacy),
            (State::Active, 1, &nobody, &asked),
            (State::Departed, 1, &nobody, &asked),
            (State::NotRead, 1, &nobody, &asked),
            (State::Departed, 0, &inactive, &legacy),
            (State::Departed, 0, &allowed, &to_user),
            (State::Departed, 1, &inactive, &asked),
            (State::Departed, 1, &allowed, &asked),
        ] {
            let case = Case {
                state,
                open,
                proposal,
            };
            let of = |undecided| by_rule(case, undecided).0;
            assert_eq!(of(Undecided::Hold), *expected, "{case:?}");
            let open_to_all = *expected == asked;
            let expected = |instead| if open_to_all { &instead } else { expected }.clone();
            assert_eq!(of(Undecided::Legacy), expected(Decision::Legacy));
            assert_eq!(of(Undecided::NameOnly), expected(Decision::NameOnly));
        }
    }
}
