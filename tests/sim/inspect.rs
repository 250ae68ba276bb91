//! The media of a call in progress: what both sides believe of it against what the worker was told.

use crate::peer::Side;
use crate::worker::{Plug, Port};
use crate::world::World;
use std::time::Duration;
use tandem::media::command::PortId;
use tandem::wire::description::Direction;

impl World {
    /// Looks at a call, if both of its sides have been at rest for long enough to agree.
    pub fn inspect(&mut self, call: usize) {
        let Some(story) = self.ledger.stories.get(call) else { return };
        if story.vanished.is_some() || story.legs.values().any(|leg| leg.vanished.is_some()) {
            return;
        }
        let is_local = story.legs.is_empty();
        let side = |is_caller: bool| self.peers.iter().find_map(|peer| peer.side(call, is_caller));
        let (Some(caller), called) = (side(true), side(false)) else { return };
        let at_rest = |side: &Side<'_>| side.is_settled && self.time - side.changed >= self.settling();
        if !at_rest(&caller) || !called.as_ref().map_or(is_local, at_rest) {
            return;
        }
        let wrong = match &called {
            Some(called) => self.joined(&caller, called),
            None => self.alone(&caller),
        };
        self.inspected += 1;
        for what in wrong {
            self.ledger.violation(self.time, Some(call), format!("media: {what}"));
        }
    }

    /// How long a change may take to be known on both sides.
    fn settling(&self) -> Duration {
        match self.profile.faults.loss {
            0.0 => Duration::from_secs(12),
            // A message may have to be sent five times, and one after a glare again.
            ..0.15 => Duration::from_secs(25),
            _ => Duration::from_secs(50),
        }
    }

    /// Two peers.
    fn joined(&self, caller: &Side<'_>, called: &Side<'_>) -> Vec<String> {
        let (Some((caller_id, caller_port)), Some((called_id, called_port))) = (self.port(caller), self.port(called))
        else {
            return vec!["a port is not open".to_owned()];
        };
        let mut wrong = Vec::new();
        let (mine, theirs) = (caller.voice.wish, called.voice.wish);
        check("caller", caller, caller_port, theirs, Plug::Peer(called_id), &mut wrong);
        check("called side", called, called_port, mine, Plug::Peer(caller_id), &mut wrong);
        wrong
    }

    /// A caller and an end of the gateway's own.
    fn alone(&self, caller: &Side<'_>) -> Vec<String> {
        let Some((_, port)) = self.port(caller) else { return vec!["the port is not open".to_owned()] };
        let mut wrong = Vec::new();
        let other = if port.source == Plug::Clip { Direction::SendOnly } else { Direction::SendRecv };
        let plug = if port.source == Plug::Clip { Plug::Clip } else { Plug::Echo };
        check("caller", caller, port, other, plug, &mut wrong);
        wrong
    }

    fn port(&self, side: &Side<'_>) -> Option<(PortId, &Port)> {
        self.worker.port_at(side.voice.gateway?.port())
    }
}

/// `other` is what the other side wants.
fn check(name: &str, side: &Side<'_>, port: &Port, other: Direction, plug: Plug, wrong: &mut Vec<String>) {
    let wish = side.voice.wish;
    let (sends, hears) = (wish.sends() && other.receives(), wish.receives() && other.sends());
    if side.voice.believes() != Some((sends, hears)) {
        let believes = side.voice.believes();
        wrong.push(format!("the {name} wants {wish:?}, its peer {other:?}: it believes (sends, hears) {believes:?}"));
    }
    if port.source != plug {
        wrong.push(format!("the {name}'s port plays {:?} and not {plug:?}", port.source));
    }
    match &port.settings {
        None => wrong.push(format!("the {name}'s port was never configured")),
        Some(settings) if settings.receive.is_empty() == sends || settings.send.is_none() == hears => {
            let (receives, plays) = (!settings.receive.is_empty(), settings.send.is_some());
            wrong.push(format!(
                "the {name} sends {sends} and hears {hears}, its port receives {receives} and sends {plays}"
            ));
        }
        Some(_) => {}
    }
}
