//! Whatever comes in, an agent with calls in every state neither panics nor grows without end.

use super::*;
use crate::config::settings::Prack;
use crate::sip::agent::{ServerId, SessionId, TimerTerms};
use proptest::prelude::*;

/// Byte changes of a message that an agent wrote itself, so that they reach deep.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Cut(usize),
    Swap(&'static str, &'static str),
    Repeat(usize),
}

fn change() -> impl Strategy<Value = Change> {
    let swaps = [
        ("INVITE", "BYE"),
        ("INVITE", "ACK"),
        ("INVITE", "UPDATE"),
        ("ACK", "CANCEL"),
        ("BYE", "INVITE"),
        ("BYE", "REGISTER"),
        (";tag=", ";gat="),
        ("200", "491"),
        ("200", "401"),
        ("200", "183"),
        ("100", "200"),
        ("CSeq: ", "CSeq: 2147483"),
        ("CSeq: ", "CSeq: 0"),
        ("Supported", "Require"),
        ("Session-Expires: 90", "Session-Expires: 1"),
        ("RSeq: ", "RSeq: 9"),
        ("RAck: ", "RAck: 4294967295"),
        ("PRACK", "UPDATE"),
        ("refresher=uas", "refresher=uac"),
        ("Contact: <sip:", "Contact: <sip:["),
        ("Contact: <", "Contact: *, <"),
        (";branch=z9hG4bK", ";branch="),
        ("192.0.2", "255.255.255"),
        ("SIP/2.0/UDP", "SIP/2.0/X"),
    ];
    prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        any::<usize>().prop_map(Change::Cut),
        prop::sample::select(swaps.to_vec()).prop_map(|(from, to)| Change::Swap(from, to)),
        any::<usize>().prop_map(Change::Repeat),
    ]
}

fn apply(bytes: &[u8], change: &Change) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    let length = bytes.len().max(1);
    match change {
        Change::Set(at, byte) => bytes.get_mut(at % length).into_iter().for_each(|old| *old = *byte),
        Change::Cut(at) => bytes.truncate(at % length),
        Change::Swap(from, to) => bytes = String::from_utf8_lossy(&bytes).replace(from, to).into_bytes(),
        Change::Repeat(at) => {
            let tail = bytes.split_off(at % length);
            let line = tail.split_inclusive(|&byte| byte == b'\n').nth(1).unwrap_or_default().to_vec();
            bytes.extend(line.repeat(2));
            bytes.extend(tail);
        }
    }
    bytes
}

/// All that a session may use.
const TERMS: Terms = Terms {
    prack: Prack::Supported,
    timer: Some(TimerTerms { expires: Duration::from_secs(90), min: Duration::from_secs(90) }),
    probe: Duration::from_secs(30),
};

/// What the owners do next.
fn act(agent: &mut Agent, now: Now, verb: u8, id: SessionId) {
    match verb % 10 {
        0 => agent.answer(now, id, Vec::new(), Some(Body::sdp("answer"))),
        1 => agent.progress(now, id, 180, "", Vec::new(), (verb > 100).then(|| Body::sdp("early"))),
        2 => agent.ack(now, id, None),
        3 => agent.bye(now, id, Some("SIP\r\nX: y".into())),
        4 => agent.cancel(now, id, None),
        5 => _ = agent.reoffer(now, id, Some(Body::sdp("again"))),
        6 => agent.reanswer(now, id, [200, 488, 999][usize::from(verb) % 3], "", Vec::new(), None),
        7 => _ = agent.agree(now, id, TERMS, None),
        8 => agent.refuse(now, id, 999, "", Vec::new()),
        _ => agent.respond(now, ServerId(id.0), 200, "", Vec::new(), None),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn changed_messages_and_any_verb_at_any_time(
        seed in any::<u64>(),
        steps in prop::collection::vec((any::<u8>(), 0u64..4000, prop::option::weighted(0.4, change())), 1..60),
    ) {
        let settings = AgentSettings { extensions: vec!["100rel", "timer"], ..AgentSettings::default() };
        let mut agents = [0, 1].map(|n| Agent::new(settings.clone(), Chance::from_number((seed ^ n) >> 1)));
        let mut sessions = [Vec::new(), Vec::new()];
        let mut time = Time::from_millis(1);
        let pair = Pair::new(1, Faults::default());
        let mut history: Vec<(usize, Bytes)> = Vec::new();
        for (verb, millis, change) in steps {
            let now = Now::simulated(time, Wall::default());
            if verb % 16 == 0 || sessions[0].is_empty() {
                let mut invite = Invite::new(pair.flow(0), "sip:b@192.0.2.2".into(), "<sip:a@x>".into(), "<sip:b@x>".into());
                invite.terms = TERMS;
                invite.body = (verb % 3 > 0).then(|| Body::sdp("offer"));
                sessions[0].push(agents[0].invite(now, invite));
            }
            for side in 0..2 {
                if let Some(&id) = sessions[side].get(usize::from(verb) % sessions[side].len().max(1)) {
                    act(&mut agents[side], now, verb, id);
                }
                agents[side].handle_timeout(now);
                while let Some(event) = agents[side].poll_event() {
                    if let Event::Invited { session, .. } = event {
                        agents[side].agree(now, session, TERMS, None);
                        sessions[side].push(session);
                    }
                }
                let sent: Vec<_> = std::iter::from_fn(|| agents[side].poll_transmit()).collect();
                for transmit in sent.into_iter().take(20) {
                    history.push((1 - side, transmit.bytes));
                }
            }
            for (to, bytes) in history.split_off(history.len().saturating_sub(6)) {
                let changed = change.as_ref().map_or(bytes.to_vec(), |change| apply(&bytes, change));
                if let Ok(message) = Message::parse(Bytes::from(changed)) {
                    agents[to].receive(now, pair.flow(to), message);
                }
                history.insert(0, (to, bytes));
            }
            history.truncate(40);
            time += Duration::from_millis(millis);
        }
        for (agent, sessions) in agents.iter_mut().zip(&mut sessions) {
            for round in 0..4 {
                while let Some(event) = agent.poll_event() {
                    if let Event::Invited { session, .. } = event {
                        sessions.push(session);
                    }
                }
                for &id in sessions.iter() {
                    agent.bye(Now::simulated(time, Wall::default()), id, None);
                }
                time += LONG * (round + 1);
                while agent.poll_timeout().is_some_and(|next| next <= time) {
                    agent.handle_timeout(Now::simulated(time, Wall::default()));
                }
            }
            prop_assert!(agent.counts().is_empty(), "{:?}", agent.counts());
        }
    }
}
