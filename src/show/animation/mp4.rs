//! MP4 by the program `ffmpeg`, which is no part of this library.

use std::io::{ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use super::Animation;
use crate::show::save;
use crate::{Error, Result};

/// Encoders, best first: the second one is in every build of ffmpeg.
const ENCODERS: [&[&str]; 2] = [&["-c:v", "libx264", "-crf", "16", "-preset", "slow"], &["-c:v", "mpeg4", "-q:v", "2"]];

/// Pixel format and even sides, which every player needs, and the index at the beginning, for the web.
const OUTPUT: [&str; 6] =
    ["-vf", "pad=ceil(iw/2)*2:ceil(ih/2)*2:0:0:white", "-pix_fmt", "yuv420p", "-movflags", "+faststart"];

/// Writes beside the final place and moves the whole file there.
pub(super) fn save(animation: &Animation, path: &Path, program: &str) -> Result<()> {
    save::make_folder_of(path)?;
    let partial = partial(path);
    let mut refusals = Vec::new();
    for encoder in ENCODERS {
        match encode(animation, &partial, program, encoder) {
            Ok(None) => return std::fs::rename(&partial, path).map_err(|e| Error::io("write the film", path, e)),
            Ok(Some(refusal)) => refusals.push(refusal),
            Err(error) if error.kind() == ErrorKind::NotFound => {
                let hint = "Install ffmpeg (apt install ffmpeg), or save it as .gif or .apng, which need nothing.";
                return Err(Error::file(path, format!("no program {program}"), "ffmpeg, to write MP4", hint));
            }
            Err(error) => return Err(Error::io(format!("run {program} to write it"), path, error)),
        }
        // Half a film is of no use; ffmpeg may not have begun one.
        let _ = std::fs::remove_file(&partial);
    }
    let hint = "Save it as .gif or .apng, which need no ffmpeg.";
    Err(Error::file(path, format!("{program} said: {}", refusals.join(" / ")), "a film", hint))
}

/// Runs the program once; what it had to say where it failed.
fn encode(animation: &Animation, out: &Path, program: &str, encoder: &[&str]) -> std::io::Result<Option<String>> {
    let (width, height) = animation.size();
    let mut child = Command::new(program)
        .args(["-loglevel", "error", "-nostdin", "-y", "-f", "rawvideo", "-pix_fmt", "rgb24"])
        .args(["-s", &format!("{width}x{height}"), "-r", &animation.fps().to_string(), "-i", "pipe:0", "-an"])
        .args(OUTPUT)
        .args(encoder)
        .arg(out)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // Beside reading what it says, or both could wait for each other.
        scope.spawn(move || {
            let mut stdin = stdin?;
            // One that stops reading has failed, and says why itself.
            animation.frames().iter().try_for_each(|frame| stdin.write_all(frame.as_raw())).ok()
        });
        child.wait_with_output()
    })?;
    if output.status.success() {
        return Ok(None);
    }
    let said = String::from_utf8_lossy(&output.stderr);
    let last = said.lines().rev().find(|line| !line.trim().is_empty()).unwrap_or("nothing").trim();
    Ok(Some(format!("{last} ({})", output.status)))
}

fn partial(path: &Path) -> PathBuf {
    let mut name = path.file_stem().unwrap_or_default().to_os_string();
    // The extension stays last: ffmpeg chooses the container by it.
    name.push(format!(".tmp-{}.mp4", std::process::id()));
    path.with_file_name(name)
}

#[cfg(all(test, unix))]
mod tests {
    use super::*;
    use image::{Rgb, RgbImage};
    use std::os::unix::fs::PermissionsExt;

    fn animation() -> Animation {
        let frame = |i: u8| RgbImage::from_pixel(5, 3, Rgb([i, 2, 3]));
        Animation::new((0..40).map(frame).collect::<Vec<_>>(), 12.5).unwrap()
    }

    /// A program in the place of ffmpeg.
    fn program(folder: &Path, text: &str) -> String {
        let path = folder.join("ffmpeg");
        std::fs::write(&path, format!("#!/bin/sh\n{text}\n")).unwrap();
        std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        path.display().to_string()
    }

    #[test]
    fn frames_go_to_the_program_and_the_film_to_its_place() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("films/walk.mp4");
        // The film is the arguments and what came in.
        let copy = program(folder.path(), "for out; do :; done\necho \"$@\" > \"$out\"\ncat >> \"$out\"");
        save(&animation(), &out, &copy).unwrap();
        let film = std::fs::read(&out).unwrap();
        let end = film.iter().position(|byte| *byte == b'\n').unwrap();
        let arguments = String::from_utf8(film[..end].to_vec()).unwrap();
        assert!(arguments.contains("-s 5x3 -r 12.5 -i pipe:0") && arguments.contains("libx264"), "{arguments}");
        let pixels: Vec<u8> = animation().frames().iter().flat_map(|frame| frame.as_raw().clone()).collect();
        assert_eq!(film[end + 1..], pixels);
        assert_eq!(std::fs::read_dir(out.parent().unwrap()).unwrap().count(), 1);
    }

    #[test]
    fn a_missing_or_failing_program_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let out = folder.path().join("walk.mp4");
        let error = save(&animation(), &out, "/no/ffmpeg").unwrap_err().to_string();
        assert!(error.contains("Install ffmpeg") && error.contains("walk.mp4"), "{error}");
        let failing = program(folder.path(), "echo 'no such encoder' >&2; exit 3");
        let error = save(&animation(), &out, &failing).unwrap_err().to_string();
        assert!(error.contains("no such encoder") && error.contains("exit status: 3"), "{error}");
        assert!(!out.exists() && std::fs::read_dir(folder.path()).unwrap().count() == 1);
    }
}
