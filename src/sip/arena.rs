//! Values by number, where a number that was given back is never mistaken for the value that took its place.

use std::marker::PhantomData;
use std::{fmt, hash};

/// The place of a value in an [`Arena`], with the generation of that place.
pub struct Id<T> {
    index: u32,
    generation: u32,
    of: PhantomData<fn() -> T>,
}

pub struct Arena<T> {
    places: Vec<Place<T>>,
    free: Vec<u32>,
    len: usize,
}

struct Place<T> {
    generation: u32,
    value: Option<T>,
}

impl<T> Id<T> {
    /// A number for logs and for a caller's own tables.
    pub fn number(self) -> u64 {
        u64::from(self.generation) << 32 | u64::from(self.index)
    }

    /// The reverse of [`Id::number`].
    pub fn from_number(number: u64) -> Id<T> {
        Id { index: number as u32, generation: (number >> 32) as u32, of: PhantomData }
    }
}

impl<T> Arena<T> {
    pub fn insert(&mut self, value: T) -> Id<T> {
        self.insert_with(|_| value)
    }

    /// A number that was never anybody's and never will be.
    pub fn spend(&mut self) -> Id<T> {
        let id = self.place();
        if let Some(place) = self.places.get_mut(id.index as usize) {
            place.generation = place.generation.wrapping_add(1);
        }
        self.free.push(id.index);
        id
    }

    /// For a value that knows its own number.
    pub fn insert_with(&mut self, make: impl FnOnce(Id<T>) -> T) -> Id<T> {
        let id = self.place();
        self.len += 1;
        let value = make(id);
        self.places[id.index as usize].value = Some(value);
        id
    }

    fn place(&mut self) -> Id<T> {
        let index = match self.free.pop() {
            Some(index) => index,
            None => {
                self.places.push(Place { generation: 0, value: None });
                (self.places.len() - 1) as u32
            }
        };
        Id { index, generation: self.places[index as usize].generation, of: PhantomData }
    }

    pub fn get(&self, id: Id<T>) -> Option<&T> {
        let place = self.places.get(id.index as usize)?;
        if place.generation == id.generation { place.value.as_ref() } else { None }
    }

    pub fn get_mut(&mut self, id: Id<T>) -> Option<&mut T> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation == id.generation { place.value.as_mut() } else { None }
    }

    pub fn remove(&mut self, id: Id<T>) -> Option<T> {
        let place = self.places.get_mut(id.index as usize)?;
        if place.generation != id.generation {
            return None;
        }
        let value = place.value.take()?;
        place.generation = place.generation.wrapping_add(1);
        self.free.push(id.index);
        self.len -= 1;
        Some(value)
    }

    pub fn len(&self) -> usize {
        self.len
    }
}

impl<T> Default for Arena<T> {
    fn default() -> Self {
        Arena { places: Vec::new(), free: Vec::new(), len: 0 }
    }
}

impl<T> Clone for Id<T> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<T> Copy for Id<T> {}

impl<T> PartialEq for Id<T> {
    fn eq(&self, other: &Self) -> bool {
        self.number() == other.number()
    }
}

impl<T> Eq for Id<T> {}

impl<T> PartialOrd for Id<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Id<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.number().cmp(&other.number())
    }
}

impl<T> hash::Hash for Id<T> {
    fn hash<H: hash::Hasher>(&self, state: &mut H) {
        self.number().hash(state);
    }
}

impl<T> fmt::Debug for Id<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.index, self.generation)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_old_number_never_finds_a_new_value() {
        let mut arena = Arena::default();
        let one = arena.insert("one");
        assert_eq!(arena.remove(one), Some("one"));
        let two = arena.insert("two");
        assert_ne!(one, two);
        assert_eq!((arena.get(one), arena.get(two)), (None, Some(&"two")));
        assert_eq!((arena.remove(one), arena.len()), (None, 1));
    }
}
