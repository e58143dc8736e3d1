//! The screen that redraws itself, for `sluice status --watch`: what is wrong stands at the top, and the last line says what
//! is not seen and which keys there are.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyEventKind, KeyModifiers};
use ratatui::layout::{Constraint, Layout};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Styled, Text};
use ratatui::widgets::Paragraph;

use super::client::AskError;
use super::screen::{Line, Paper, Tone, screen};
use super::snapshot::Snapshot;

/// How often it is redrawn.
const STEP: Duration = Duration::from_secs(1);
/// How far the arrows move to the side.
const ASIDE: i16 = 8;

/// Draws what `look` gives until somebody presses `q`, Escape or Ctrl-C; arrows and page keys move.
pub fn watch(mut look: impl FnMut() -> Result<Snapshot, AskError>) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let mut place = Place::default();
    let watched = loop {
        let seen = look();
        let drawn = terminal.draw(|frame| {
            let [page, foot] =
                Layout::vertical([Constraint::Min(1), Constraint::Length(1)]).areas(frame.area());
            let lines = lines(&seen, usize::from(page.width));
            place.within(&lines, page.width, page.height);
            let text: Text<'_> = lines.iter().map(styled).collect();
            frame.render_widget(Paragraph::new(text).scroll((place.top, place.left)), page);
            let foot_style = Style::new().add_modifier(Modifier::REVERSED);
            frame.render_widget(
                Paragraph::new(place.told(&lines, page.height)).style(foot_style),
                foot,
            );
        });
        if let Err(why) = drawn {
            break Err(why);
        }
        match key() {
            Ok(Key::Quit) => break Ok(()),
            Ok(key) => place.go(&key),
            Err(why) => break Err(why),
        }
    };
    ratatui::restore();
    watched
}

/// What is to be seen, or why nothing is; it is asked for again either way.
fn lines(seen: &Result<Snapshot, AskError>, width: usize) -> Vec<Line> {
    let paper = Paper {
        width,
        wrong_first: true,
    };
    match seen {
        Ok(seen) => screen(seen, paper),
        Err(why) => super::screen::words(&why.to_string(), Tone::Worst, width),
    }
}

/// Where one has moved to.
#[derive(Clone, Copy, Default)]
struct Place {
    top: u16,
    left: u16,
    page: u16,
}

impl Place {
    /// Not beyond the end; what there is may have become less.
    fn within(&mut self, lines: &[Line], width: u16, height: u16) {
        let most = |count: usize, shown: u16| {
            u16::try_from(count)
                .unwrap_or(u16::MAX)
                .saturating_sub(shown)
        };
        let widest = lines.iter().map(|line| line.text.chars().count()).max();
        self.top = self.top.min(most(lines.len(), height));
        self.left = self.left.min(most(widest.unwrap_or(0), width));
        self.page = height;
    }

    fn go(&mut self, key: &Key) {
        let page = i16::try_from(self.page.saturating_sub(1)).unwrap_or(i16::MAX);
        match key {
            Key::Lines(by) => self.top = self.top.saturating_add_signed(*by),
            Key::Pages(by) => self.top = self.top.saturating_add_signed(by.saturating_mul(page)),
            Key::Aside(by) => self.left = self.left.saturating_add_signed(by * ASIDE),
            Key::Begin => (self.top, self.left) = (0, 0),
            Key::End => self.top = u16::MAX,
            Key::Quit | Key::None => {}
        }
    }

    /// The last line.
    fn told(self, lines: &[Line], height: u16) -> String {
        let (first, all) = (usize::from(self.top), lines.len());
        let last = (first + usize::from(height)).min(all);
        match last - first < all {
            true => format!(
                " lines {}-{last} of {all}   arrows, PgUp, PgDn: move   q: quit",
                first + 1
            ),
            false => String::from(" q: quit"),
        }
    }
}

#[derive(PartialEq, Eq, Debug)]
enum Key {
    Quit,
    Lines(i16),
    Pages(i16),
    Aside(i16),
    Begin,
    End,
    None,
}

fn key() -> io::Result<Key> {
    if !event::poll(STEP)? {
        return Ok(Key::None);
    }
    let Event::Key(key) = event::read()? else {
        return Ok(Key::None);
    };
    if key.kind == KeyEventKind::Release {
        return Ok(Key::None);
    }
    Ok(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Quit,
        KeyCode::Up | KeyCode::Char('k') => Key::Lines(-1),
        KeyCode::Down | KeyCode::Char('j') => Key::Lines(1),
        KeyCode::PageUp => Key::Pages(-1),
        KeyCode::PageDown | KeyCode::Char(' ') => Key::Pages(1),
        KeyCode::Left => Key::Aside(-1),
        KeyCode::Right => Key::Aside(1),
        KeyCode::Home => Key::Begin,
        KeyCode::End => Key::End,
        _ => Key::None,
    })
}

fn styled(line: &Line) -> Styled<'_> {
    let style = match line.tone {
        Tone::Plain => Style::new(),
        Tone::Heading => Style::new().add_modifier(Modifier::BOLD),
        Tone::Good => Style::new().fg(Color::Green),
        Tone::Bad => Style::new().fg(Color::Yellow),
        Tone::Worst => Style::new().fg(Color::Red).add_modifier(Modifier::BOLD),
    };
    Styled::styled(line.text.as_str(), style)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn page(count: usize, width: usize) -> Vec<Line> {
        let line = Line {
            text: "x".repeat(width),
            tone: Tone::Plain,
        };
        vec![line; count]
    }

    #[test]
    fn one_moves_as_far_as_there_is_something_and_the_last_line_says_where_one_is() {
        let lines = page(50, 90);
        let mut place = Place::default();
        place.within(&lines, 80, 23);
        assert_eq!(
            place.told(&lines, 23),
            " lines 1-23 of 50   arrows, PgUp, PgDn: move   q: quit"
        );
        for key in [Key::Pages(1), Key::Lines(1), Key::Aside(1), Key::Aside(1)] {
            place.go(&key);
            place.within(&lines, 80, 23);
        }
        assert_eq!((place.top, place.left), (23, 10));
        place.go(&Key::End);
        place.within(&lines, 80, 23);
        assert!(place.told(&lines, 23).starts_with(" lines 28-50 of 50"));
        // The terminal grew, and there is less to show.
        place.within(&page(10, 20), 200, 49);
        assert_eq!((place.top, place.left), (0, 0));
        assert_eq!(place.told(&page(10, 20), 49), " q: quit");
    }
}
