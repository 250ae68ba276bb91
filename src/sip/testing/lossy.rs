//! Many calls on a bad network: each ends, and nothing is left over.

use super::*;
use crate::base::chance::Chance;
use crate::config::settings::Prack;
use crate::sip::agent::TimerTerms;
use std::collections::HashMap;

/// What a side of a call saw.
#[derive(Default)]
struct Seen {
    answered: bool,
    over: u32,
}

/// An owner that answers, refuses, cancels, re-offers and hangs up by chance.
struct Owners {
    chance: Chance,
    seen: [HashMap<SessionId, Seen>; 2],
    answered: usize,
    terms: Terms,
}

impl Owners {
    fn event(&mut self, agent: &mut Agent, now: Now, side: usize, event: Event) {
        match event {
            Event::Invited { session, .. } => {
                self.seen[side].entry(session).or_default();
                agent.agree(now, session, self.terms, None);
                if self.terms.prack != Prack::Never {
                    agent.progress(now, session, 183, "", Vec::new(), Some(Body::sdp("early")));
                }
                match self.chance.below(10) {
                    0 => {
                        agent.refuse(now, session, 486, "", Vec::new());
                        self.over(side, session);
                    }
                    1 => agent.progress(now, session, 180, "", Vec::new(), None),
                    _ => agent.answer(now, session, Vec::new(), Some(Body::sdp("answer"))),
                }
            }
            Event::Session { session, event } => self.session(agent, now, side, session, event),
            other => panic!("{other:?}"),
        }
    }

    fn session(&mut self, agent: &mut Agent, now: Now, side: usize, id: SessionId, event: SessionEvent) {
        match event {
            SessionEvent::Answered { .. } => {
                agent.ack(now, id, None);
                self.seen[side].entry(id).or_default().answered = true;
                self.answered += 1;
                match self.chance.below(3) {
                    0 => agent.bye(now, id, None),
                    1 => _ = agent.reoffer(now, id, Some(Body::sdp("again"))),
                    _ => {}
                }
            }
            SessionEvent::Acked { .. } if self.chance.below(2) == 0 => {
                let _ = agent.reoffer(now, id, Some(Body::sdp("again")));
            }
            SessionEvent::Reoffered { .. } => match self.chance.below(4) {
                0 => agent.reanswer(now, id, 488, "", Vec::new(), None),
                1 => agent.bye(now, id, None),
                _ => agent.reanswer(now, id, 200, "", Vec::new(), Some(Body::sdp("yes"))),
            },
            SessionEvent::Progress { .. } if self.chance.below(2) == 0 => agent.cancel(now, id, None),
            SessionEvent::Refused { .. }
            | SessionEvent::Failed { .. }
            | SessionEvent::Cancelled { .. }
            | SessionEvent::Ended { .. } => self.over(side, id),
            _ => {}
        }
    }

    fn over(&mut self, side: usize, id: SessionId) {
        let seen = self.seen[side].entry(id).or_default();
        seen.over += 1;
        assert_eq!(seen.over, 1, "one end for each session");
    }
}

fn calls(seed: u64, number: usize, faults: Faults) -> (usize, Pair) {
    calls_on(Terms::default(), seed, number, faults)
}

fn calls_on(terms: Terms, seed: u64, number: usize, faults: Faults) -> (usize, Pair) {
    let mut pair = Pair::new(seed, faults);
    pair.terms = terms;
    let mut owners = Owners { chance: Chance::from_number(seed), seen: Default::default(), answered: 0, terms };
    for _ in 0..number {
        let id = pair.invite();
        owners.seen[0].insert(id, Seen::default());
        pair.run(SECOND / 10, |agent, now, side, event| owners.event(agent, now, side, event));
    }
    pair.run(LONG, |agent, now, side, event| owners.event(agent, now, side, event));
    for side in 0..2 {
        let open: Vec<_> = owners.seen[side].iter().filter(|(_, seen)| seen.over == 0).map(|(&id, _)| id).collect();
        for id in open {
            let now = pair.now();
            pair.agents[side].bye(now, id, None);
        }
        pair.run(LONG, |agent, now, side, event| owners.event(agent, now, side, event));
    }
    for (side, seen) in owners.seen.iter().enumerate() {
        for (id, seen) in seen {
            assert_eq!(seen.over, 1, "side {side} session {id} seed {seed}");
        }
    }
    (owners.answered, pair)
}

#[test]
fn five_hundred_calls_under_loss_duplication_and_reordering() {
    for (seed, loss) in [(1, 0.0), (2, 0.1), (3, 0.2), (4, 0.3)] {
        let (answered, pair) = calls(seed, 500, Faults { loss, duplication: 0.1, reordering: 0.1 });
        assert!(answered > 300, "{answered} answered with loss {loss}");
        pair.assert_empty();
    }
}

#[test]
fn provisional_answers_are_acknowledged_and_sessions_refreshed_all_the_same() {
    let span = SECOND * 90;
    let timer = Some(TimerTerms { expires: span, min: span });
    let terms = Terms { prack: Prack::Supported, timer, probe: Duration::ZERO };
    for (seed, loss) in [(11, 0.0), (12, 0.1), (13, 0.3)] {
        let (answered, pair) = calls_on(terms, seed, 200, Faults { loss, duplication: 0.1, reordering: 0.1 });
        assert!(answered > 60, "{answered} answered with loss {loss}");
        for what in ["a PRACK", "b 200 PRACK"] {
            assert!(pair.log.iter().any(|line| line.ends_with(what)), "{what}");
        }
        pair.assert_empty();
    }
}

#[test]
fn a_dead_network_leaves_nothing_behind() {
    let (answered, pair) = calls(5, 50, Faults { loss: 1.0, duplication: 0.0, reordering: 0.0 });
    assert_eq!(answered, 0);
    pair.assert_empty();
}

#[test]
fn a_run_is_replayed_from_its_seed() {
    let faults = Faults { loss: 0.2, duplication: 0.2, reordering: 0.2 };
    assert_eq!(calls(6, 20, faults).1.log, calls(6, 20, faults).1.log);
}
