//! Logs in to an SMSC and out again, to see whether it works. What the SMSC delivers meanwhile is not answered, so it
//! keeps that.

use std::time::Duration;

use bytes::BytesMut;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::timeout;

use super::session::{Event, Session};
use super::transport::{Endpoint, Line};
use crate::clock::Clock;

/// How long the login may take; SMSCs that are slower exist in no one's memory.
const LOGIN: Duration = Duration::from_secs(30);
/// How long the logout may take.
const LOGOUT: Duration = Duration::from_secs(5);

/// How the SMSC describes itself, or why there is no session, as a sentence.
pub async fn probe(session: &mut dyn Session, endpoint: &Endpoint) -> Result<String, String> {
    let clock = Clock::system();
    let mut line = endpoint.connect().await.map_err(|why| why.to_string())?;
    session.handle_connected(clock.now());
    let peer = match timeout(LOGIN, run(session, line.as_mut(), &clock, false)).await {
        Ok(up) => up?,
        Err(_elapsed) => {
            return Err(format!(
                "{endpoint}: no answer to the login within {} s",
                LOGIN.as_secs()
            ));
        }
    };
    session.close(clock.now());
    // It was logged in; whatever becomes of the logout does not change that.
    let _ = timeout(LOGOUT, run(session, line.as_mut(), &clock, true)).await;
    Ok(peer)
}

/// Until it is logged in, or (`leaving`) until it has ended.
async fn run(
    session: &mut dyn Session,
    line: &mut dyn Line,
    clock: &Clock,
    leaving: bool,
) -> Result<String, String> {
    let mut input = BytesMut::with_capacity(4096);
    loop {
        while let Some(octets) = session.poll_transmit() {
            line.write_all(&octets)
                .await
                .map_err(|why| why.to_string())?;
        }
        while let Some(event) = session.poll_event() {
            match event {
                Event::Up { peer } if !leaving => return Ok(peer),
                Event::Ended(down) => return Err(down.reason),
                Event::Up { .. }
                | Event::MaySubmit(_)
                | Event::Answered(_)
                | Event::Delivered(..)
                | Event::Noted(_) => {}
            }
        }
        let deadline = session.poll_timeout().map(|moment| clock.instant(moment));
        tokio::select! {
            read = line.read_buf(&mut input) => match read {
                Ok(0) => session.handle_disconnected(clock.now(), "the SMSC closed the line"),
                Ok(_) => {
                    session.handle_bytes(clock.now(), &input);
                    input.clear();
                }
                Err(why) => session.handle_disconnected(clock.now(), &why.to_string()),
            },
            () = sleep_until(deadline) => session.handle_timeout(clock.now()),
        }
    }
}

async fn sleep_until(instant: Option<std::time::Instant>) {
    match instant {
        Some(instant) => tokio::time::sleep_until(instant.into()).await,
        None => std::future::pending().await,
    }
}
