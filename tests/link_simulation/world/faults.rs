//! What goes wrong: cuts of the line, kills, power cuts, damaged slots.

use std::time::Duration;

use super::{Work, World, end_name};

impl World {
    /// What goes wrong next.
    pub(super) fn trouble(&mut self) {
        self.forget_resent();
        self.trouble_at = self.now + Duration::from_millis(50 + self.chance.below(4000));
        let end = self.chance.below(2) as usize;
        match self.chance.below(9) {
            0..=2 => {
                let both = self.chance.percent(70);
                let long = self.chance.percent(30);
                let ms = 10 + self.chance.below(if long { 8000 } else { 600 });
                let one = self.chance.below(2) as usize;
                self.tell(|| {
                    format!(
                        "the line is cut for {ms} ms, {}",
                        if both { "both ways" } else { "one way" }
                    )
                });
                for connection in &mut self.connections {
                    connection.lines[one].cut = true;
                    connection.lines[1 - one].cut |= both;
                }
                self.heal_at = Some(self.now + Duration::from_millis(ms));
            }
            3 | 4 if self.ends[end].is_up() => {
                self.tell(|| format!("{} is killed", end_name(end)));
                self.ends[end].kill();
                self.goes_down(end);
            }
            5 | 6 if self.ends[end].is_up() => {
                let after = self.chance.below(30);
                self.tell(|| format!("the power of {} goes after {after} writes", end_name(end)));
                self.ends[end].power_will_fail(after);
            }
            7 if self.damages && self.ends[end].is_up() => self.damage(end),
            7 | 8 if self.restores && self.ends[end].is_up() => self.copy_or_restore(end),
            _ => {
                // Dials beside the connection that there is.
                self.tell(|| "the edge dials beside".into());
                self.dial_at.get_or_insert(self.now);
            }
        }
    }

    fn damage(&mut self, end: usize) {
        let ring = self.chance.below(self.ways.len() as u64) as usize;
        let Some(sequence) = self.ends[end].some_live(ring, &mut self.chance) else {
            return;
        };
        if !self.ends[end].flush() {
            self.power_fails(end);
            return;
        }
        self.tell(|| {
            format!(
                "{} is killed, and message {sequence} of way {ring} damaged there",
                end_name(end)
            )
        });
        self.ways[ring].damaged.insert(sequence);
        self.ends[end].kill();
        self.ends[end].damage(ring, sequence);
        self.goes_down(end);
    }

    /// A copy of an end's disks is made, or the one that there is is put back.
    fn copy_or_restore(&mut self, end: usize) {
        if !self.ends[end].has_backup() {
            self.tell(|| format!("the disks of {} are copied", end_name(end)));
            self.ends[end].back_up();
            return;
        }
        if self.ends[end].restored {
            return;
        }
        self.ends[end].kill();
        self.goes_down(end);
        self.ends[end].restore(&mut self.chance);
        self.tell(|| format!("{} gets an old copy of its disks", end_name(end)));
        for (ring, way) in self.ways.iter_mut().enumerate() {
            if Self::origin(ring) == end {
                way.forgotten = way.accepted;
            }
        }
    }

    fn goes_down(&mut self, end: usize) {
        self.forget_resent();
        for connection in &mut self.connections {
            connection.peers[end] = None;
        }
        self.works.retain(|(_, work)| match work {
            Work::Store(_, at, ..) | Work::Keep(_, at, ..) => *at != end,
        });
        let ms = 1 + self.chance.below(1500);
        self.up_at[end] = Some(self.now + Duration::from_millis(ms));
    }

    pub(super) fn power_fails(&mut self, end: usize) {
        self.tell(|| format!("the power of {} is gone", end_name(end)));
        self.ends[end].power_fails(&mut self.chance);
        self.goes_down(end);
    }
}
