//! One side adds a line while two legs talk, or puts fax in the place of sound: it is answered once the other side has said
//! whether it wants that too.

use crate::base::time::Now;
use crate::call::exchange::{Exchange, Timer};
use crate::call::leg::{Said, description_of};
use crate::call::media::Media;
use crate::call::media::negotiate::{self, relayed};
use crate::call::media::stream::{Bond, Stream};
use crate::call::state::{Call, PATIENCE, Stage};
use crate::sip::flow::Body;
use crate::wire::description::{Description, Media as MediaLine};
use crate::wire::sip::{Message, Method};

pub struct Change {
    /// Who wants it, and who is asked.
    leg: usize,
    other: usize,
    offer: Description,
    /// Whether the other side was asked; before, ports are awaited.
    is_asked: bool,
    /// Who wanted it has given up waiting.
    is_withdrawn: bool,
}

impl Call {
    /// Whether a re-INVITE has a line that isn't there yet and that the other side might have too. An UPDATE has to be
    /// answered at once (RFC 3311 §5.2), so that it adds nothing.
    pub fn adds_lines(&self, exchange: &Exchange, leg: usize, message: &Message, offer: &Description) -> bool {
        let limit = exchange.settings.limits.streams;
        let Some(media) = self.legs[leg].media.as_ref().filter(|_| *message.method() == Method::Invite) else {
            return false;
        };
        let has_peer = self.other(leg).is_some_and(|other| self.legs[other].media.is_some());
        has_peer && !additions(media, offer, limit).is_empty()
    }

    /// Opens ports on both legs for what is to be added; the other side is asked when they are there.
    pub fn begin_change(&mut self, exchange: &mut Exchange, now: Now, leg: usize, offer: Description) {
        let Some(other) = self.other(leg) else { return };
        let limit = exchange.settings.limits.streams;
        let next_bond = &mut self.next_bond;
        let (low, high) = self.legs.split_at_mut(leg.max(other));
        let (Some(low), Some(high)) = (low.get_mut(leg.min(other)), high.first_mut()) else { return };
        let (wanting, asked) = if leg < other { (low, high) } else { (high, low) };
        let (Some(wanting), Some(asked)) = (wanting.media.as_mut(), asked.media.as_mut()) else { return };
        let additions = additions(wanting, &offer, limit);
        wanting.begin_change();
        asked.begin_change();
        for (stream, theirs) in wanting.streams.iter_mut().zip(&offer.media) {
            if theirs.is_refused() {
                stream.refuse();
            }
        }
        for (index, is_sound) in additions {
            let Some(line) = offer.media.get(index) else { continue };
            let bond = if is_sound { Bond::SOUND } else { Bond(*next_bond) };
            *next_bond += 1;
            let replaced = wanting.streams.get(index).filter(|stream| stream.port.is_some()).map(|stream| stream.bond);
            while wanting.streams.len() < index {
                let skipped = offer.media[wanting.streams.len()].clone();
                wanting.streams.push(Stream::refused(skipped));
            }
            let mut stream = wanting.stream(exchange, bond, line.clone());
            stream.describe(line.clone());
            put(&mut wanting.streams, Some(index), stream);
            let stream = asked.stream(exchange, bond, negotiate::refused(line));
            let place = asked.streams.iter().position(|stream| match replaced {
                Some(replaced) => stream.bond == replaced,
                None => stream.port.is_none(),
            });
            put(&mut asked.streams, place, stream);
        }
        self.change = Some(Box::new(Change { leg, other, offer, is_asked: false, is_withdrawn: false }));
        exchange.timers.set(Timer::Patience(self.key), now.time + PATIENCE);
    }

    /// Asks the other side, once no port is awaited any more.
    pub fn advance_change(&mut self, exchange: &mut Exchange, now: Now) {
        let Some(change) = self.change.as_ref().filter(|change| !change.is_asked) else { return };
        let (leg, other) = (change.leg, change.other);
        if [leg, other].iter().any(|&leg| self.legs[leg].media.as_ref().is_some_and(Media::awaits_port)) {
            return;
        }
        exchange.timers.cancel(Timer::Patience(self.key));
        let opposites = self.legs[leg].opposites();
        let session = self.legs[other].session();
        let Some(media) = self.legs[other].media.as_mut() else { return };
        let is_free = !media.awaits_answer();
        let body = if is_free { media.offer(&opposites) } else { None };
        let asked = match (session, body) {
            (Some(session), Some(body)) => exchange.agent.reoffer(now, session, Some(body)).is_ok(),
            _ => false,
        };
        if let Some(change) = self.change.as_mut().filter(|_| asked) {
            change.is_asked = true;
            return;
        }
        if is_free {
            media.unsay();
        }
        self.abandon_change(exchange, now, 491);
    }

    /// Whether this leg was asked for what the other one wants to add.
    pub fn is_changing_beside(&self, leg: usize) -> bool {
        self.change.as_ref().is_some_and(|change| change.other == leg && change.is_asked)
    }

    /// The side that was asked has answered, so the one that wants it is answered too.
    pub fn change_answered(&mut self, exchange: &mut Exchange, now: Now, message: &Message) {
        let Some(change) = &self.change else { return };
        let (leg, other) = (change.leg, change.other);
        let accepted = match (description_of(message), self.legs[other].media.as_mut()) {
            (Said::Media(answer), Some(media)) => media.accept(&answer, false).is_ok(),
            _ => false,
        };
        if !accepted {
            return self.abandon_change(exchange, now, 488);
        }
        if let Some(media) = self.legs[other].media.as_mut() {
            media.commit_change(exchange);
        }
        let Some(change) = self.change.take() else { return };
        // Where this side can't have what the other took, or wants it no more, that one is told so below.
        let body = match change.is_withdrawn {
            true => None,
            false => self.answer_again(exchange, leg, Some(other), &change.offer).ok(),
        };
        if let Some(media) = self.legs[leg].media.as_mut() {
            match body {
                Some(_) => media.commit_change(exchange),
                None => media.undo_change(exchange),
            }
        }
        self.conclude_change(exchange, now, leg, other, 488, body);
    }

    /// Who wanted it has cancelled the re-INVITE. A side that was asked already is told otherwise once it has answered.
    pub fn change_withdrawn(&mut self, exchange: &mut Exchange, now: Now, leg: usize) {
        match self.change.as_mut().filter(|change| change.leg == leg) {
            Some(change) if change.is_asked => change.is_withdrawn = true,
            Some(_) => self.abandon_change(exchange, now, 487),
            None => self.settle(exchange, now, leg),
        }
    }

    /// The other side doesn't want it, or can't be asked: both are as before. What else the offer said holds.
    pub fn abandon_change(&mut self, exchange: &mut Exchange, now: Now, status: u16) {
        let Some(change) = self.change.take() else { return };
        exchange.timers.cancel(Timer::Patience(self.key));
        for leg in [change.leg, change.other] {
            if let Some(media) = self.legs[leg].media.as_mut() {
                media.undo_change(exchange);
                if leg == change.other && change.is_asked {
                    media.withdraw();
                }
            }
        }
        let (leg, other) = (change.leg, change.other);
        let body = match status {
            488 if !change.is_withdrawn => self.answer_again(exchange, leg, Some(other), &change.offer).ok(),
            _ => None,
        };
        self.conclude_change(exchange, now, leg, other, status, body);
    }

    fn conclude_change(
        &mut self,
        exchange: &mut Exchange,
        now: Now,
        leg: usize,
        other: usize,
        refusal: u16,
        body: Option<Body>,
    ) {
        if let Some(session) = self.legs[leg].session() {
            let status = if body.is_some() { 200 } else { refusal };
            exchange.agent.reanswer(now, session, status, "", Vec::new(), body);
        }
        if let Stage::Talking { with } = self.stage {
            self.offers = 0;
            self.wire(exchange, with);
            self.pass_on(exchange, now, leg);
            self.pass_on(exchange, now, other);
        }
        self.settle(exchange, now, leg);
        self.settle(exchange, now, other);
    }
}

/// The places of lines that aren't there yet and that might be relayed, and whether they are the sound, as many as the limit
/// leaves.
fn additions(media: &Media, offer: &Description, limit: usize) -> Vec<(usize, bool)> {
    let goes_on =
        |index: usize, line: &MediaLine| media.streams.get(index).is_some_and(|stream| stream.continues(line));
    let lines = || offer.media.iter().enumerate();
    let mut live = lines().filter(|(index, line)| goes_on(*index, line)).count();
    // Sound that goes on is the sound of the call; only where there is none, a line may become it.
    let has_sound =
        media.streams.iter().zip(&offer.media).any(|(stream, line)| stream.is_sound() && stream.continues(line));
    let sound = media.speaks.sound_line(offer).filter(|_| !has_sound);
    let mut additions = Vec::new();
    for (index, line) in lines().filter(|(index, line)| !goes_on(*index, line)) {
        let is_sound = sound == Some(index);
        if live < limit && (is_sound || relayed::is_relayable(line)) {
            additions.push((index, is_sound));
            live += 1;
        }
    }
    additions
}

fn put(streams: &mut Vec<Stream>, place: Option<usize>, stream: Stream) {
    match place.and_then(|place| streams.get_mut(place)) {
        Some(room) => *room = stream,
        None => streams.push(stream),
    }
}
