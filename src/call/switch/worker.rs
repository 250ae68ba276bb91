//! What the media workers say, and the orders for which they had no room.

use super::{AGAIN, Switch};
use crate::base::time::Now;
use crate::call::exchange::{LegKey, Timer};
use crate::media::command::{Command, Event as MediaEvent};

impl Switch {
    pub(super) fn media(&mut self, now: Now, event: MediaEvent) {
        let port = match &event {
            MediaEvent::Opened { port, .. }
            | MediaEvent::OpenFailed { port, .. }
            | MediaEvent::Learnt { port, .. }
            | MediaEvent::Silent { port, .. }
            | MediaEvent::Heard { port }
            | MediaEvent::Unheard { port, .. }
            | MediaEvent::Quality { port, .. }
            | MediaEvent::Digit { port, .. }
            | MediaEvent::Finished { port }
            | MediaEvent::Closed { port, .. } => *port,
        };
        // Of a port that never was no end is told.
        if matches!(event, MediaEvent::Closed { .. } | MediaEvent::OpenFailed { .. }) {
            self.exchange.forget_closing(port);
        }
        let Some(LegKey { call, leg }) = self.exchange.port_owner(port) else { return };
        if let MediaEvent::Quality { report, .. } = event {
            // It comes often, and lights nobody's lamp.
            if let Some(call) = self.calls.get_mut(&call) {
                call.quality_told(leg, port, report);
            }
            return;
        }
        self.with_call(call, |call, exchange| match event {
            MediaEvent::Opened { number, .. } => call.port_opened(exchange, now, leg, port, number),
            MediaEvent::OpenFailed { why, .. } => {
                call.port_closed(exchange, leg, port, Default::default());
                call.port_failed(exchange, now, leg, port, &why);
            }
            MediaEvent::Silent { since, .. } => call.silent(exchange, now, leg, since),
            MediaEvent::Finished { .. } => call.clip_ended(exchange, now),
            MediaEvent::Closed { report, .. } => call.port_closed(exchange, leg, port, report),
            MediaEvent::Digit { digit, duration, .. } => call.digit_heard(exchange, now, leg, digit, duration),
            MediaEvent::Heard { .. } => call.sound_changed(exchange, now, leg, port, None),
            MediaEvent::Unheard { since, .. } => call.sound_changed(exchange, now, leg, port, Some(since)),
            MediaEvent::Learnt { .. } | MediaEvent::Quality { .. } => {}
        });
    }

    /// A full ring refuses new calls and never stops one in progress: an order to open a port is given up, the others are
    /// given again.
    pub(super) fn media_refused(&mut self, now: Now, command: Command) {
        match command {
            Command::Open { port, .. } => {
                self.media(now, MediaEvent::OpenFailed { port, why: "the media worker is overloaded".to_owned() });
            }
            Command::Configure { port, .. } | Command::Connect { port, .. } => {
                if let Some(LegKey { call, .. }) = self.exchange.port_owner(port) {
                    self.exchange.timers.set(Timer::Rewire(call), now.time + AGAIN);
                }
            }
            Command::Close { port } => {
                let owner = self.exchange.port_owner(port).and_then(|leg| self.calls.get(&leg.call));
                let worker = owner.map(|call| call.worker);
                if let Some(worker) = self.exchange.closing(port, worker) {
                    self.exchange.timers.set(Timer::Close { port, worker }, now.time + AGAIN);
                }
            }
            Command::Dial { port, digits, duration } => {
                if let Some(LegKey { call, leg }) = self.exchange.port_owner(port) {
                    self.with_call(call, |call, _| call.undialled(leg, &digits, duration));
                    self.exchange.timers.set(Timer::Rewire(call), now.time + AGAIN);
                }
            }
            Command::Tap { port, .. } => {
                if let Some(LegKey { call, .. }) = self.exchange.port_owner(port) {
                    self.exchange.rooms.untape(call);
                    self.exchange.timers.set(Timer::Rewire(call), now.time + AGAIN);
                }
            }
            Command::TapRoom { room, .. } => {
                if let Some(call) = self.exchange.rooms.untape_room(room) {
                    self.exchange.timers.set(Timer::Rewire(call), now.time + AGAIN);
                }
            }
        }
    }
}
