//! Ladders of single calls.

use super::*;
use crate::sip::agent::{Busy, Ending};
use crate::wire::sip::{Method, Name};

/// A call that is answered and acknowledged: both sessions.
fn call(pair: &mut Pair) -> (SessionId, SessionId) {
    let a = pair.invite();
    let events = pair.collect(SECOND / 10);
    let b = session(&events, 1);
    pair.agents[1].answer(pair.now(), b, Vec::new(), Some(Body::sdp("answer")));
    let events = pair.collect(SECOND / 10);
    assert_eq!(names(&events, 0), ["Answered"]);
    pair.agents[0].ack(pair.now(), a, None);
    let events = pair.collect(SECOND / 10);
    assert_eq!(names(&events, 1), ["Acked"]);
    (a, b)
}

fn quiet() -> Pair {
    Pair::new(1, Faults::default())
}

fn count(pair: &Pair, text: &str) -> usize {
    pair.log.iter().filter(|line| line.split_once(' ').is_some_and(|(_, rest)| rest == text)).count()
}

#[test]
fn a_call_from_invite_to_bye() {
    for transport in [Transport::Udp, Transport::Tcp] {
        let mut pair = quiet();
        pair.transport = transport;
        let a = pair.invite();
        let events = pair.collect(SECOND);
        assert_eq!(names(&events, 1), ["Invited"]);
        let b = session(&events, 1);
        pair.agents[1].progress(pair.now(), b, 180, "", Vec::new(), None);
        pair.agents[1].progress(pair.now(), b, 183, "Early", Vec::new(), Some(Body::sdp("early")));
        let events = pair.collect(SECOND);
        assert_eq!(names(&events, 0), ["Progress", "Progress"]);
        pair.agents[1].answer(pair.now(), b, Vec::new(), Some(Body::sdp("answer")));
        let events = pair.collect(SECOND / 10);
        assert_eq!(names(&events, 0), ["Answered"]);
        pair.agents[0].ack(pair.now(), a, None);
        let events = pair.collect(SECOND);
        assert_eq!(names(&events, 1), ["Acked"]);
        pair.agents[0].bye(pair.now(), a, Some("Q.850;cause=16".into()));
        let events = pair.collect(LONG);
        assert_eq!(names(&events, 0), ["Ended Local"]);
        assert_eq!(names(&events, 1), ["Ended Peer { reason: Some(\"Q.850;cause=16\") }"]);
        let ladder: Vec<_> = pair.log.iter().filter_map(|line| line.split_once(' ')).map(|line| line.1).collect();
        let expected =
            ["a INVITE", "b 100 INVITE", "b 180 INVITE", "b 183 INVITE", "b 200 INVITE", "a ACK", "a BYE", "b 200 BYE"];
        assert_eq!(ladder, expected);
        pair.assert_empty();
    }
}

#[test]
fn nobody_there() {
    let mut pair = quiet();
    pair.lose(|_, _| true);
    pair.invite();
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), ["Failed"]);
    let times: Vec<_> = pair.log.iter().filter_map(|line| line.split_once(' ')).map(|line| line.0).collect();
    assert_eq!(times, ["1000", "1500", "2500", "4500", "8500", "16500", "32500"]);
    pair.assert_empty();
}

#[test]
fn a_refusal_is_repeated_until_its_ack() {
    let mut pair = quiet();
    let mut acks = 0;
    pair.lose(move |_, message| {
        acks += u8::from(*message.method() == Method::Ack);
        *message.method() == Method::Ack && acks < 3
    });
    pair.invite();
    let events = pair.collect(SECOND);
    pair.agents[1].refuse(pair.now(), session(&events, 1), 486, "", Vec::new());
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), ["Refused"]);
    assert_eq!((count(&pair, "b 486 INVITE"), count(&pair, "a ACK")), (3, 3));
    pair.assert_empty();
}

#[test]
fn cancel_waits_for_a_provisional() {
    let mut pair = quiet();
    let a = pair.invite();
    pair.agents[0].cancel(pair.now(), a, Some("SIP;cause=200".into()));
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), ["Ended Cancelled { status: 487 }"]);
    assert_eq!(names(&events, 1), ["Invited", "Cancelled"]);
    let ladder: Vec<_> = pair.log.iter().filter_map(|line| line.split_once(' ')).map(|line| line.1).collect();
    let expected = ["a INVITE", "b 100 INVITE", "a CANCEL", "b 200 CANCEL", "b 487 INVITE", "a ACK"];
    assert_eq!(ladder, expected);
    pair.assert_empty();
}

#[test]
fn an_answer_that_crosses_cancel_is_hung_up() {
    let mut pair = quiet();
    let a = pair.invite();
    let events = pair.collect(SECOND);
    pair.agents[1].answer(pair.now(), session(&events, 1), Vec::new(), None);
    pair.agents[0].cancel(pair.now(), a, None);
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), ["Ended Cancelled { status: 200 }"]);
    assert_eq!(names(&events, 1), ["Acked", "Ended Peer { reason: None }"]);
    pair.assert_empty();
}

#[test]
fn a_peer_that_ignores_cancel_is_given_up() {
    let mut pair = quiet();
    pair.lose(|side, message| side == 1 && message.status() >= 200);
    let a = pair.invite();
    pair.collect(SECOND);
    pair.agents[0].cancel(pair.now(), a, None);
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), ["Ended Cancelled { status: 408 }"]);
    pair.assert_empty();
}

#[test]
fn an_owner_without_patience_is_told_at_once() {
    let mut pair = quiet();
    let mut invite = Invite::new(pair.flow(0), "sip:b@192.0.2.2".into(), "<sip:a@x>".into(), "<sip:b@x>".into());
    invite.no_answer = Some(SECOND * 20);
    pair.agents[0].invite(pair.now(), invite);
    let events = pair.collect(SECOND * 20);
    assert_eq!(names(&events, 0), ["Failed"]);
    let events = pair.collect(LONG);
    assert!(names(&events, 0).is_empty());
    assert_eq!(names(&events, 1), ["Cancelled"]);
    pair.assert_empty();
}

#[test]
fn a_lost_ack_is_sent_again_for_each_answer() {
    let mut pair = quiet();
    let mut lost = 0;
    pair.lose(move |_, message| {
        lost += u8::from(*message.method() == Method::Ack);
        *message.method() == Method::Ack && lost <= 3
    });
    let a = pair.invite();
    let events = pair.collect(SECOND);
    let b = session(&events, 1);
    pair.agents[1].answer(pair.now(), b, Vec::new(), None);
    pair.collect(SECOND / 10);
    pair.agents[0].ack(pair.now(), a, None);
    let events = pair.collect(SECOND * 10);
    assert_eq!(names(&events, 1), ["Acked"]);
    assert_eq!((count(&pair, "b 200 INVITE"), count(&pair, "a ACK")), (4, 4));
    pair.agents[1].bye(pair.now(), b, None);
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), ["Ended Peer { reason: None }"]);
    assert_eq!(names(&events, 1), ["Ended Local"]);
    pair.assert_empty();
}

#[test]
fn an_answer_without_ack_ends_the_session() {
    let mut pair = quiet();
    pair.lose(|_, message| *message.method() == Method::Ack);
    let a = pair.invite();
    let events = pair.collect(SECOND);
    pair.agents[1].answer(pair.now(), session(&events, 1), Vec::new(), None);
    pair.collect(SECOND / 10);
    pair.agents[0].ack(pair.now(), a, None);
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 1), ["Ended NoAck"]);
    assert_eq!(names(&events, 0), ["Ended Peer { reason: None }"]);
    let expected = ["2000", "2500", "3500", "5500", "9500", "13500", "17500", "21500", "25500", "29500", "33500"];
    let answers = pair.log.iter().filter(|line| line.ends_with("b 200 INVITE"));
    let times: Vec<_> = answers.filter_map(|line| line.split_once(' ')).map(|line| line.0).collect();
    assert_eq!(times, expected);
    pair.assert_empty();
}

#[test]
fn a_callee_hangs_up_only_after_the_ack() {
    let mut pair = quiet();
    let a = pair.invite();
    let events = pair.collect(SECOND);
    let b = session(&events, 1);
    pair.agents[1].answer(pair.now(), b, Vec::new(), None);
    pair.agents[1].bye(pair.now(), b, None);
    pair.collect(SECOND / 10);
    assert_eq!(count(&pair, "b BYE"), 0);
    pair.agents[0].ack(pair.now(), a, None);
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 1), ["Ended Local"]);
    pair.assert_empty();
}

#[test]
fn both_hang_up_at_once() {
    let mut pair = quiet();
    let (a, b) = call(&mut pair);
    pair.agents[0].bye(pair.now(), a, None);
    pair.agents[1].bye(pair.now(), b, None);
    let events = pair.collect(LONG);
    assert_eq!((names(&events, 0), names(&events, 1)), (vec!["Ended Local".into()], vec!["Ended Local".into()]));
    assert_eq!((count(&pair, "a 200 BYE"), count(&pair, "b 200 BYE")), (1, 1));
    pair.assert_empty();
}

#[test]
fn a_reinvite_both_ways() {
    let mut pair = quiet();
    let (a, b) = call(&mut pair);
    for (from, to, session) in [(0, 1, a), (1, 0, b)] {
        let other = if session == a { b } else { a };
        pair.agents[from].reoffer(pair.now(), session, Some(Body::sdp("hold"))).unwrap();
        assert_eq!(pair.agents[from].reoffer(pair.now(), session, None), Err(Busy));
        let events = pair.collect(SECOND / 10);
        assert_eq!(names(&events, to), ["Reoffered"]);
        pair.agents[to].reanswer(pair.now(), other, 200, "", Vec::new(), Some(Body::sdp("held")));
        let events = pair.collect(SECOND);
        assert_eq!((names(&events, from), names(&events, to)), (vec!["Reanswered".into()], vec!["ReAcked".into()]));
    }
    pair.agents[0].reoffer(pair.now(), a, Some(Body::sdp("bad"))).unwrap();
    pair.collect(SECOND / 10);
    pair.agents[1].reanswer(pair.now(), b, 488, "", Vec::new(), None);
    let events = pair.collect(SECOND);
    assert_eq!(names(&events, 0), ["Rerefused"]);
    pair.agents[0].bye(pair.now(), a, None);
    pair.collect(LONG);
    pair.assert_empty();
}

#[test]
fn a_glare_is_resolved_by_waiting() {
    for seed in 0..20 {
        let mut pair = Pair::new(seed, Faults::default());
        let (a, b) = call(&mut pair);
        pair.agents[0].reoffer(pair.now(), a, Some(Body::sdp("one"))).unwrap();
        pair.agents[1].reoffer(pair.now(), b, Some(Body::sdp("two"))).unwrap();
        let mut told = [Vec::new(), Vec::new()];
        pair.run(SECOND * 20, |agent, now, side, event| {
            if let Event::Session { session, event: SessionEvent::Reoffered { .. } } = &event {
                agent.reanswer(now, *session, 200, "", Vec::new(), Some(Body::sdp("yes")));
            }
            told[side].extend(names(&[(side, event)], side));
        });
        for told in &mut told {
            told.sort();
            assert_eq!(told.as_slice(), ["ReAcked", "Reanswered", "Reoffered"]);
        }
        assert_eq!((count(&pair, "a 491 INVITE"), count(&pair, "b 491 INVITE")), (1, 1));
        pair.agents[0].bye(pair.now(), a, None);
        pair.collect(LONG);
        pair.assert_empty();
    }
}

#[test]
fn a_peer_that_lost_the_dialog_ends_it() {
    let mut pair = quiet();
    pair.terms.probe = SECOND * 60;
    call(&mut pair);
    pair.collect(SECOND * 61);
    assert_eq!(count(&pair, "b 200 OPTIONS"), 1);
    pair.agents[1] = Agent::new(AgentSettings::default(), Chance::from_number(9));
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), ["Ended PeerGone"]);
    assert_eq!(count(&pair, "b 481 OPTIONS"), 1);
    pair.assert_empty();
}

#[test]
fn a_peer_that_vanished_ends_it() {
    let mut pair = quiet();
    pair.terms.probe = SECOND * 60;
    let (_, b) = call(&mut pair);
    pair.lose(|_, _| true);
    pair.agents[1].reoffer(pair.now(), b, None).unwrap();
    let events = pair.collect(LONG);
    assert_eq!((names(&events, 0), names(&events, 1)), (vec!["Ended PeerGone".into()], vec!["Ended PeerGone".into()]));
    pair.assert_empty();
}

#[test]
fn ringing_is_repeated_each_minute() {
    let mut pair = quiet();
    let a = pair.invite();
    let events = pair.collect(SECOND);
    pair.agents[1].progress(pair.now(), session(&events, 1), 180, "", Vec::new(), None);
    pair.collect(SECOND * 185);
    assert_eq!(count(&pair, "b 180 INVITE"), 4);
    pair.agents[0].bye(pair.now(), a, None);
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), ["Ended Cancelled { status: 487 }"]);
    pair.assert_empty();
}

#[test]
fn a_broken_flow_fails_what_was_not_answered() {
    let mut pair = quiet();
    pair.lose(|_, _| true);
    pair.invite();
    let sent = pair.agents[0].poll_transmit().unwrap();
    pair.agents[0].unsent(pair.now(), sent.kind.transaction().unwrap(), false);
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), ["Failed"]);
    pair.assert_empty();
}

#[test]
fn the_parts_that_rfc_3261_wants_are_there() {
    let mut pair = quiet();
    let a = pair.invite();
    let events = pair.collect(SECOND);
    let Some((_, Event::Invited { message, .. })) = events.first() else { panic!("{events:?}") };
    assert_eq!(message.max_forwards(), Some(70));
    assert_eq!(message.contacts().unwrap().first().unwrap().uri(), "sip:a@192.0.2.1:5060");
    assert_eq!(message.call_id(), pair.agents[0].call_id(a).unwrap());
    assert!(message.call_id().starts_with("00"), "the shard's number");
    assert!(message.has_token(Name::Allow, "UPDATE"));
    assert_eq!(message.content_type(), Some("application/sdp"));
    pair.agents[1].answer(pair.now(), session(&events, 1), Vec::new(), None);
    let events = pair.collect(SECOND / 10);
    let Some((_, Event::Session { event: SessionEvent::Answered { message }, .. })) = events.first() else {
        panic!("{events:?}")
    };
    assert_eq!(message.contacts().unwrap().first().unwrap().uri(), "sip:b@192.0.2.2:5060");
    assert!(message.to().unwrap().tag().unwrap().starts_with("01"));
    pair.agents[0].bye(pair.now(), a, None);
    let events = pair.collect(LONG);
    assert_eq!(names(&events, 0), [format!("Ended {:?}", Ending::Local)]);
    pair.assert_empty();
}
