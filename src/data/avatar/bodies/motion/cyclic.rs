//! Motions that repeat: sums of sinusoids.

use std::f32::consts::{PI, TAU};

use super::Clip;
use crate::data::avatar::bodies::rig::{Limb, Stance};

/// 0 to 1 and back once per turn, at 1 where `angle` is 0; higher powers make a shorter peak.
fn pulse(angle: f32, power: i32) -> f32 {
    (0.5 + 0.5 * angle.cos()).powi(power)
}

/// An ankle that keeps the sole level, as far as it goes.
fn level(leg: Limb, lean: f32) -> Limb {
    Limb { end: (leg.bend - leg.swing + lean).clamp(-0.75, 0.45), ..leg }
}

pub(super) fn walk(clip: &Clip, seconds: f32) -> Stance {
    let phase = TAU * (seconds * 1.05 * clip.speed + clip.phase);
    let wide = 0.46 * clip.strength;
    let leg = |angle: f32| {
        let leg = Limb {
            swing: wide * angle.sin() + 0.06,
            spread: 0.015,
            bend: 0.10 + 0.92 * clip.strength * pulse(angle + 0.35, 2),
            ..Limb::default()
        };
        // Behind the body the heel comes up before the foot leaves the floor.
        Limb { end: level(leg, 0.04).end - 0.30 * pulse(angle + 1.25, 3), ..leg }
    };
    let arm = |angle: f32| Limb {
        swing: (0.42 + 0.10 * clip.own[0]) * clip.strength * angle.sin() + 0.06,
        spread: 0.14 + 0.03 * clip.own[1],
        twist: -0.15,
        bend: 0.28 + 0.10 * clip.own[2] + 0.16 * angle.sin(),
        end: 0.06,
    };
    Stance {
        hips: [0.03, -0.12 * phase.sin(), 0.035 * phase.cos()],
        back: [0.03, 0.24 * phase.sin(), -0.04 * phase.cos()],
        head: [-0.03 + 0.02 * (2.0 * phase).cos(), -0.12 * phase.sin(), 0.0],
        arms: [arm(phase + PI), arm(phase)],
        legs: [leg(phase), leg(phase + PI)],
        ..Stance::default()
    }
}

pub(super) fn run(clip: &Clip, seconds: f32) -> Stance {
    let phase = TAU * (seconds * 1.45 * clip.speed + clip.phase);
    let wide = 0.78 * clip.strength;
    let lean = 0.16 + 0.04 * clip.own[0];
    let leg = |angle: f32| {
        let leg = Limb {
            swing: wide * angle.sin() + 0.26,
            spread: 0.02,
            bend: 0.30 + 1.45 * clip.strength * pulse(angle + 0.65, 2),
            ..Limb::default()
        };
        Limb { end: level(leg, lean).end.clamp(-0.5, 0.3) - 0.25 * pulse(angle + 1.3, 2), ..leg }
    };
    let arm = |angle: f32| Limb {
        swing: (0.75 + 0.08 * clip.own[1]) * clip.strength * angle.sin() + 0.02,
        spread: 0.24 + 0.05 * clip.own[2],
        twist: -0.30,
        bend: 1.30 + 0.25 * angle.sin(),
        end: 0.1,
    };
    Stance {
        lift: 0.035 * clip.strength * pulse(2.0 * phase, 1),
        hips: [lean, -0.16 * phase.sin(), 0.04 * phase.cos()],
        back: [0.06, 0.34 * phase.sin(), -0.05 * phase.cos()],
        head: [-0.16, -0.18 * phase.sin(), 0.0],
        arms: [arm(phase + PI), arm(phase)],
        legs: [leg(phase), leg(phase + PI)],
        ..Stance::default()
    }
}

/// All the way around in a clip, with small steps.
pub(super) fn turn(clip: &Clip, seconds: f32) -> Stance {
    let length = super::CLIP as f32 / super::RATE;
    let phase = TAU * (seconds * 1.9 + clip.phase);
    let leg = |angle: f32| {
        let leg = Limb {
            swing: 0.20 * clip.strength * pulse(angle, 2) + 0.02,
            spread: 0.05,
            bend: 0.10 + 0.50 * clip.strength * pulse(angle, 2),
            ..Limb::default()
        };
        level(leg, 0.0)
    };
    let arm = |angle: f32| Limb {
        swing: 0.08 + 0.05 * angle.sin(),
        spread: 0.36 + 0.12 * clip.own[0] + 0.05 * angle.cos(),
        twist: 0.1,
        bend: 0.26 + 0.12 * clip.own[1],
        end: 0.0,
    };
    Stance {
        yaw: TAU * seconds / length,
        hips: [0.0, 0.0, 0.025 * phase.sin()],
        back: [0.0, 0.16, -0.02 * phase.sin()],
        head: [0.02, 0.22, 0.05 * clip.own[2]],
        arms: [arm(phase), arm(phase + PI)],
        legs: [leg(phase), leg(phase + PI)],
        ..Stance::default()
    }
}

/// Steps from side to side with the arms high and low in turn.
pub(super) fn dance(clip: &Clip, seconds: f32) -> Stance {
    let beat = TAU * (seconds * 0.95 * clip.speed + clip.phase);
    let slow = 0.5 * beat + clip.own[5];
    let (s, own) = (clip.strength, clip.own);
    let leg = |angle: f32| {
        let leg = Limb {
            swing: 0.16 * s * pulse(angle, 1) + 0.12,
            spread: 0.12 + 0.10 * s * pulse(angle, 1),
            twist: 0.12,
            bend: 0.26 + 0.66 * s * pulse(angle, 2),
            ..Limb::default()
        };
        level(leg, 0.03)
    };
    let arm = |angle: f32, own: f32| Limb {
        swing: 0.20 + 0.12 * (2.0 * angle).cos(),
        spread: 1.25 + 0.15 * own + 0.78 * s * angle.sin(),
        twist: 0.95 + 0.45 * angle.sin(),
        bend: 0.85 + 0.15 * own + 0.45 * (angle + 0.8).cos(),
        end: 0.15 * (2.0 * angle).sin(),
    };
    Stance {
        shift: [0.025 * s * beat.sin(), 0.0],
        yaw: 0.42 * s * slow.sin(),
        hips: [0.03, 0.10 * beat.cos(), 0.15 * s * beat.sin()],
        back: [0.02, 0.22 * slow.cos(), -0.24 * s * beat.sin()],
        head: [0.02, 0.16 * slow.sin(), 0.16 * (beat + 0.5).sin()],
        arms: [arm(beat + 0.6 * own[0], own[1]), arm(beat + PI + 0.6 * own[2], own[3])],
        legs: [leg(beat), leg(beat + PI)],
        ..Stance::default()
    }
}
