//! Things with small numbers of their own, reused when the thing is gone.

/// Places for things, each with a number.
#[derive(Debug)]
pub(super) struct Arena<T> {
    places: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Arena<T> {
    pub(super) const fn new() -> Self {
        Self {
            places: Vec::new(),
            free: Vec::new(),
        }
    }

    /// Takes one in.
    pub(super) fn insert(&mut self, thing: T) -> u32 {
        if let Some(id) = self.free.pop() {
            self.places[id as usize] = Some(thing);
            return id;
        }
        self.places.push(Some(thing));
        u32::try_from(self.places.len() - 1).expect("fewer things than an address space holds")
    }

    /// Gives one out; its number may be given again.
    pub(super) fn remove(&mut self, id: u32) -> Option<T> {
        let thing = self.places.get_mut(id as usize)?.take()?;
        self.free.push(id);
        Some(thing)
    }

    pub(super) fn get(&self, id: u32) -> Option<&T> {
        self.places.get(id as usize)?.as_ref()
    }

    /// The numbers in use.
    pub(super) fn ids(&self) -> impl Iterator<Item = u32> + '_ {
        (0_u32..)
            .zip(&self.places)
            .filter(|(_, place)| place.is_some())
            .map(|(id, _)| id)
    }

    pub(super) fn len(&self) -> usize {
        self.places.len() - self.free.len()
    }
}

/// A number that is held stands for a thing that is there.
const HELD: &str = "a number that is held has its thing";

impl<T> std::ops::Index<u32> for Arena<T> {
    type Output = T;
    fn index(&self, id: u32) -> &T {
        self.places[id as usize].as_ref().expect(HELD)
    }
}

impl<T> std::ops::IndexMut<u32> for Arena<T> {
    fn index_mut(&mut self, id: u32) -> &mut T {
        self.places[id as usize].as_mut().expect(HELD)
    }
}
