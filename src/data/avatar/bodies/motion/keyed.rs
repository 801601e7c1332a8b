//! Motions that lead from one pose to another.

use std::f32::consts::{PI, TAU};

use super::Clip;
use crate::data::avatar::bodies::rig::{Limb, Stance};

/// From 0 to 1 between two moments, at rest at both.
fn ease(seconds: f32, from: f32, to: f32) -> f32 {
    let t = ((seconds - from) / (to - from)).clamp(0.0, 1.0);
    t * t * (3.0 - 2.0 * t)
}

/// Through these stances at these moments; still before the first and after the last.
fn through(keys: &[(f32, Stance)], seconds: f32) -> Stance {
    let mut stance = keys[0].1;
    for pair in keys.windows(2) {
        let ((from, _), (to, next)) = (pair[0], &pair[1]);
        stance = stance.toward(next, ease(seconds, from, *to));
    }
    stance
}

/// A leg whose sole stays level.
fn planted(swing: f32, bend: f32, spread: f32) -> Limb {
    Limb { swing, spread, bend, end: bend - swing, ..Limb::default() }
}

/// Standing at ease; `own` in [−1, 1] is what differs from one to another.
pub(in crate::data::avatar::bodies) fn at_ease(own: f32) -> Stance {
    let arm = Limb { swing: 0.10, spread: 0.15 + 0.03 * own, twist: -0.2, bend: 0.26, end: 0.05 };
    let leg = planted(0.03, 0.05, 0.035);
    Stance { back: [0.02, 0.0, 0.0], arms: [arm, arm], legs: [leg, leg], ..Stance::default() }
}

fn standing(clip: &Clip) -> Stance {
    at_ease(clip.own[0])
}

pub(super) fn wave(clip: &Clip, seconds: f32) -> Stance {
    let s = clip.strength;
    let rest = standing(clip);
    let shake = (TAU * (1.9 * clip.speed * seconds + clip.phase)).sin();
    let up = Limb {
        swing: 0.30 + 0.10 * clip.own[1],
        spread: 1.12 * s + 0.15 * clip.own[2],
        twist: 1.45,
        bend: 1.25 + 0.36 * s * shake,
        end: -0.10 + 0.16 * shake,
    };
    let mut waving = rest;
    waving.arms[0] = up;
    waving.arms[1].spread += 0.06;
    waving.hips = [0.0, 0.0, 0.05];
    waving.back = [0.02, 0.10, -0.11];
    waving.head = [0.04, 0.06, 0.13 + 0.03 * shake];
    waving.legs[1] = planted(0.10, 0.20, 0.05);
    let raised = ease(seconds, -0.15, 0.32) * (1.0 - 0.55 * ease(seconds, 0.95, 1.30));
    rest.toward(&waving, raised)
}

pub(super) fn jump(clip: &Clip, seconds: f32) -> Stance {
    let s = clip.strength;
    let rest = standing(clip);
    let crouched = |deep: f32| {
        let leg = planted(0.85 * deep, 1.45 * deep, 0.06);
        let arm = Limb { swing: -0.65 * deep, spread: 0.22, twist: -0.1, bend: 0.35, end: 0.0 };
        Stance {
            hips: [0.42 * deep, 0.0, 0.0],
            back: [0.12 * deep, 0.0, 0.0],
            head: [-0.30 * deep, 0.0, 0.0],
            arms: [arm, arm],
            legs: [leg, leg],
            ..rest
        }
    };
    let stretched = {
        let arm = Limb { swing: 0.55, spread: 1.30, twist: 0.6, bend: 0.30, end: -0.1 };
        let leg = Limb { swing: -0.10, spread: 0.05, bend: 0.12, end: -0.65, ..Limb::default() };
        Stance { back: [-0.08, 0.0, 0.0], head: [-0.08, 0.0, 0.0], arms: [arm, arm], legs: [leg, leg], ..rest }
    };
    let flying = {
        let arm = Limb { swing: 0.40, spread: 2.05 + 0.15 * clip.own[1], twist: 0.9, bend: 0.42, end: -0.1 };
        let low = Limb { swing: 0.20, spread: 0.10, bend: 0.75 * s, end: -0.35, ..Limb::default() };
        let high = Limb { swing: 0.15, spread: 0.06, bend: 1.55 * s, end: -0.40, ..Limb::default() };
        Stance { back: [-0.12, 0.0, 0.06], head: [-0.10, 0.0, 0.05], arms: [arm, arm], legs: [low, high], ..rest }
    };
    let landing = {
        let arm = Limb { swing: 0.25, spread: 0.72, twist: 0.2, bend: 0.35, end: 0.0 };
        Stance { arms: [arm, arm], ..crouched(0.5 * s) }
    };
    let t = seconds * clip.speed;
    let keys = [
        (0.0, rest),
        (0.26, crouched(0.85 * s)),
        (0.45, stretched),
        (0.62, flying),
        (0.78, stretched),
        (0.94, landing),
        (1.16, rest),
    ];
    let mut stance = through(&keys, t);
    let air = ((t - 0.42) / 0.39).clamp(0.0, 1.0);
    stance.lift = 0.42 * s * air * (1.0 - air);
    stance
}

pub(super) fn bow(clip: &Clip, seconds: f32) -> Stance {
    let s = clip.strength;
    let mut rest = standing(clip);
    let clasped = Limb { swing: 0.42, spread: -0.02, twist: -0.55, bend: 0.42, end: 0.1 };
    rest.arms = [clasped; 2];
    let legs = [planted(0.62 * s, 0.0, 0.02); 2].map(|leg| Limb { end: -0.02, ..leg });
    let low = Stance {
        shift: [0.0, -0.05],
        hips: [0.62 * s, 0.0, 0.0],
        back: [0.42 * s, 0.0, 0.0],
        head: [0.22, 0.0, 0.0],
        arms: [Limb { swing: 0.72, ..clasped }; 2],
        legs,
        ..rest
    };
    let t = seconds * clip.speed;
    let deep = ease(t, 0.02, 0.46) * (1.0 - ease(t, 0.66 + 0.06 * clip.own[1], 1.10));
    rest.toward(&low, deep)
}

pub(super) fn sit(clip: &Clip, seconds: f32) -> Stance {
    let rest = standing(clip);
    let leg = |swing: f32, bend: f32, end: f32| Limb { swing, spread: 0.05, twist: 0.0, bend, end };
    let arm = |swing: f32, bend: f32| Limb { swing, spread: 0.08, twist: -0.45, bend, end: 0.0 };
    let bent = Stance {
        shift: [0.0, 0.03],
        hips: [0.18, 0.0, 0.0],
        back: [0.12, 0.0, 0.0],
        head: [-0.05, 0.0, 0.0],
        arms: [arm(0.30, 0.45); 2],
        legs: [leg(0.80, 1.75, 0.10); 2],
        ..rest
    };
    let kneeling = Stance {
        shift: [0.0, 0.05],
        hips: [0.06, 0.0, 0.0],
        back: [0.06, 0.0, 0.0],
        arms: [arm(0.30, 0.55); 2],
        legs: [leg(0.62, 2.12, -0.95); 2],
        ..rest
    };
    let seated = Stance {
        shift: [0.0, 0.05],
        hips: [0.02, 0.0, 0.0],
        back: [0.03, 0.0, 0.02 * clip.own[1]],
        head: [0.05, 0.10 * clip.own[2], 0.06 * clip.own[3]],
        arms: [arm(0.42, 0.62); 2],
        legs: [leg(1.28, 2.72, -1.15); 2],
        ..rest
    };
    let t = seconds * clip.speed;
    let mut stance = through(&[(-0.05, rest), (0.26, bent), (0.50, kneeling), (0.74, seated)], t);
    // Breathing, so that no two poses are the same.
    let breath = (PI * (t + clip.phase)).sin();
    stance.back[0] += 0.02 * breath;
    stance.head[0] -= 0.03 * breath;
    stance
}
