//! Downloading published weights: resumed where it broke off, checked, and under its name only when it is whole.

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ureq::Agent;
use ureq::http::StatusCode;

use super::manifest::WeightsManifest;
use crate::hash::sha256;
use crate::{Error, Result};

/// How often a broken transfer is taken up again before it counts as failed.
const ATTEMPTS: u32 = 4;
/// More than any file of weights that a manifest names.
const MAX_BYTES: u64 = 4 << 30;
const MANUALLY: &str = "Or download it by other means and import it: `tachie import torch`.";

/// A file that is there now.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fetched {
    /// Where it lies.
    pub path: PathBuf,
    /// Its SHA-256, 64 hexadecimal digits.
    pub sha256: String,
    /// Its length.
    pub bytes: u64,
    /// Whether it was there before.
    pub was_there: bool,
}

/// Brings the file of a manifest into `folder`, unless it is there. What arrives is written beside it (`.part`) and gets
/// the file's name when its checksum agrees; after an interruption the next call asks for the rest alone. `progress` is
/// called with the bytes that are there and the bytes that there will be, if the server says so.
///
/// # Errors
/// When the server cannot be reached or refuses, the transfer breaks off again and again, the disk refuses, or the
/// checksum differs (what arrived is removed then).
pub fn fetch(
    manifest: &WeightsManifest,
    folder: impl AsRef<Path>,
    mut progress: impl FnMut(u64, Option<u64>),
) -> Result<Fetched> {
    let folder = folder.as_ref();
    fs::create_dir_all(folder).map_err(|source| Error::io("create the folder", folder, source))?;
    let path = folder.join(&manifest.file);
    if path.exists() {
        let there = measured(manifest, &path, &path)?;
        return Ok(Fetched { was_there: true, ..there });
    }
    let partial = folder.join(format!("{}.part", manifest.file));
    let download = Download { manifest, partial: &partial, agent: agent() };
    let mut attempt = 1;
    while let Err(failure) = download.run(&mut progress) {
        match failure {
            Failure::Passing(_) if attempt < ATTEMPTS => {
                // Half a second, one, two.
                std::thread::sleep(Duration::from_millis(250 << attempt));
                attempt += 1;
            }
            Failure::Passing(error) | Failure::Final(error) => return Err(error),
        }
    }
    let fetched = measured(manifest, &partial, &path).inspect_err(|_| {
        // Whatever it is, nothing can be added to it.
        let _ = fs::remove_file(&partial);
    })?;
    fs::rename(&partial, &path).map_err(|source| Error::io("name the download", &path, source))?;
    Ok(fetched)
}

fn agent() -> Agent {
    let patience = Some(Duration::from_secs(30));
    let config = Agent::config_builder().http_status_as_error(false).timeout_connect(patience);
    config.timeout_recv_response(patience).timeout_per_read(patience).max_redirects(5).build().into()
}

/// Length and checksum of a file that lies at `place` and is to be called `path`.
fn measured(manifest: &WeightsManifest, place: &Path, path: &Path) -> Result<Fetched> {
    let bytes = fs::metadata(place).map_err(|source| Error::io("measure the file", place, source))?.len();
    let hint = "It is damaged or another version. Remove it and fetch it again.";
    if let Some(wanted) = manifest.bytes.filter(|&wanted| wanted != bytes) {
        return Err(Error::file(path, format!("{bytes} bytes"), format!("{wanted} as {} says", manifest.name), hint));
    }
    let sum = sha256(place)?;
    if !manifest.agrees(&sum) {
        let wanted = manifest.sha256.as_deref().unwrap_or_default();
        let expected = format!("SHA-256 {wanted} as {} says", manifest.name);
        return Err(Error::file(path, format!("SHA-256 {sum}"), expected, hint));
    }
    Ok(Fetched { path: path.to_path_buf(), sha256: sum, bytes, was_there: false })
}

/// Why an attempt failed.
enum Failure {
    /// Another attempt may succeed.
    Passing(Error),
    Final(Error),
}

struct Download<'a> {
    manifest: &'a WeightsManifest,
    partial: &'a Path,
    agent: Agent,
}

impl Download<'_> {
    fn wrong(&self, found: impl Into<String>, expected: &str) -> Error {
        Error::invalid(&self.manifest.url, found, expected, MANUALLY)
    }

    fn io(&self, source: std::io::Error) -> Failure {
        Failure::Final(Error::io("write the download", self.partial, source))
    }

    /// One request for what is missing.
    fn run(&self, progress: &mut impl FnMut(u64, Option<u64>)) -> Result<(), Failure> {
        let have = fs::metadata(self.partial).map_or(0, |there| there.len());
        let mut request = self.agent.get(&self.manifest.url);
        if have > 0 {
            request = request.header("Range", format!("bytes={have}-"));
        }
        let response = request.call().map_err(|error| self.unreachable(&error))?;
        let total = total(&response, have);
        let start = match response.status() {
            // The server sends everything, whatever was asked for.
            StatusCode::OK => 0,
            StatusCode::PARTIAL_CONTENT if begins_at(&response) == Some(have) => have,
            // There is nothing behind what is there: it is all of it, or something else.
            StatusCode::RANGE_NOT_SATISFIABLE if total == Some(have) => return Ok(()),
            StatusCode::PARTIAL_CONTENT | StatusCode::RANGE_NOT_SATISFIABLE => {
                fs::remove_file(self.partial).map_err(|source| self.io(source))?;
                return Err(Failure::Passing(self.wrong("another part of the file", "the rest of the file")));
            }
            status if status.is_server_error() || status == StatusCode::TOO_MANY_REQUESTS => {
                return Err(Failure::Passing(self.wrong(status.to_string(), "the file")));
            }
            status => return Err(Failure::Final(self.wrong(status.to_string(), "the file"))),
        };
        self.receive(response.into_body().into_reader(), start, total, progress)
    }

    fn unreachable(&self, error: &ureq::Error) -> Failure {
        let failure = self.wrong(error.to_string(), "an answer of the server");
        match error {
            ureq::Error::Io(_) | ureq::Error::Timeout(_) | ureq::Error::ConnectionFailed => Failure::Passing(failure),
            _ => Failure::Final(failure),
        }
    }

    fn receive(
        &self,
        mut body: impl Read,
        start: u64,
        total: Option<u64>,
        progress: &mut impl FnMut(u64, Option<u64>),
    ) -> Result<(), Failure> {
        let mut file = self.open(start).map_err(|source| self.io(source))?;
        let (mut have, mut buffer) = (start, vec![0; 1 << 16]);
        loop {
            let length = match body.read(&mut buffer) {
                Ok(0) => break,
                Ok(length) => length,
                Err(error) => return Err(Failure::Passing(self.wrong(error.to_string(), "the rest of the file"))),
            };
            file.write_all(&buffer[..length]).map_err(|source| self.io(source))?;
            have += length as u64;
            if have > MAX_BYTES {
                return Err(Failure::Final(self.wrong(format!("more than {MAX_BYTES} bytes"), "a file of weights")));
            }
            progress(have, total);
        }
        file.sync_all().map_err(|source| self.io(source))?;
        match total {
            Some(total) if have < total => {
                Err(Failure::Passing(self.wrong(format!("{have} of {total} bytes"), "the whole file")))
            }
            _ => Ok(()),
        }
    }

    /// The file to write to, behind `start` bytes.
    fn open(&self, start: u64) -> std::io::Result<File> {
        if start == 0 { File::create(self.partial) } else { OpenOptions::new().append(true).open(self.partial) }
    }
}

type Response = ureq::http::Response<ureq::Body>;

/// How long the whole file is, if the answer says so.
fn total(response: &Response, have: u64) -> Option<u64> {
    let range = header(response, "content-range").and_then(|range| range.rsplit_once('/')?.1.parse().ok());
    let length = header(response, "content-length").and_then(|length| length.parse::<u64>().ok());
    match response.status() {
        StatusCode::OK => length,
        StatusCode::PARTIAL_CONTENT => range.or(length.map(|length| length.saturating_add(have))),
        _ => range,
    }
}

/// Where the part of the file begins that is answered: `bytes 100-199/200`.
fn begins_at(response: &Response) -> Option<u64> {
    header(response, "content-range")?.strip_prefix("bytes ")?.split_once('-')?.0.parse().ok()
}

fn header<'a>(response: &'a Response, name: &str) -> Option<&'a str> {
    response.headers().get(name)?.to_str().ok()
}
