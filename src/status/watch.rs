//! The screen that redraws itself, for `sluice status --watch`.

use std::io;
use std::time::Duration;

use ratatui::crossterm::event::{self, Event, KeyCode, KeyModifiers};
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line as Styled, Text};
use ratatui::widgets::Paragraph;

use super::client::AskError;
use super::screen::{Line, Tone};

/// How often it is redrawn.
const STEP: Duration = Duration::from_secs(1);

/// Draws what `look` gives until somebody presses `q`, Escape or Ctrl-C; arrows and page keys move.
pub fn watch(mut look: impl FnMut() -> Result<Vec<Line>, AskError>) -> io::Result<()> {
    let mut terminal = ratatui::try_init()?;
    let mut top = 0_u16;
    let watched = loop {
        let lines = look().unwrap_or_else(|why| {
            vec![Line {
                text: why.to_string(),
                tone: Tone::Worst,
            }]
        });
        let height = u16::try_from(lines.len()).unwrap_or(u16::MAX);
        let drawn = terminal.draw(|frame| {
            let area = frame.area();
            top = top.min(height.saturating_sub(area.height));
            let text: Text<'_> = lines.iter().map(styled).collect();
            frame.render_widget(Paragraph::new(text).scroll((top, 0)), area);
        });
        if let Err(why) = drawn {
            break Err(why);
        }
        match key() {
            Ok(Key::Quit) => break Ok(()),
            Ok(Key::Move(by)) => top = top.saturating_add_signed(by),
            Ok(Key::None) => {}
            Err(why) => break Err(why),
        }
    };
    ratatui::restore();
    watched
}

enum Key {
    Quit,
    Move(i16),
    None,
}

fn key() -> io::Result<Key> {
    if !event::poll(STEP)? {
        return Ok(Key::None);
    }
    let Event::Key(key) = event::read()? else {
        return Ok(Key::None);
    };
    Ok(match key.code {
        KeyCode::Char('q') | KeyCode::Esc => Key::Quit,
        KeyCode::Char('c') if key.modifiers.contains(KeyModifiers::CONTROL) => Key::Quit,
        KeyCode::Up => Key::Move(-1),
        KeyCode::Down => Key::Move(1),
        KeyCode::PageUp => Key::Move(-20),
        KeyCode::PageDown => Key::Move(20),
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
