//! Grouping of overlapping hits, as OpenCV's `groupRectangles`.

use super::detect::Hit;
use super::union::Union;

/// How far sides may differ within a group, as a share of the smaller box.
const EPS: f64 = 0.2;

/// Boxes on which more than `min_neighbors` hits agree and how many these are, the most certain first (then from the
/// top left).
pub(super) fn group(hits: &[Hit], min_neighbors: usize) -> Vec<(Hit, usize)> {
    let mut strong = averages(hits, &classes(hits));
    strong.retain(|&(_, neighbors)| neighbors > min_neighbors);
    let swallowed = |&i: &usize| strong.iter().enumerate().any(|(j, outer)| i != j && swallows(outer, &strong[i]));
    let mut kept: Vec<_> = (0..strong.len()).filter(|i| !swallowed(i)).map(|i| strong[i]).collect();
    kept.sort_by_key(|&(hit, neighbors)| (std::cmp::Reverse(neighbors), hit.y, hit.x, hit.w));
    kept
}

/// Whether two hits mean the same object: all four sides are near each other.
fn similar(a: &Hit, b: &Hit) -> bool {
    let delta = EPS * f64::from(a.w.min(b.w) + a.h.min(b.h)) * 0.5;
    let near = |p: i32, q: i32| f64::from((p - q).abs()) <= delta;
    near(a.x, b.x) && near(a.y, b.y) && near(a.x + a.w, b.x + b.w) && near(a.y + a.h, b.y + b.h)
}

/// The representative of every hit's class under the transitive closure of [`similar`].
fn classes(hits: &[Hit]) -> Vec<usize> {
    let mut by_x: Vec<usize> = (0..hits.len()).collect();
    by_x.sort_by_key(|&i| hits[i].x);
    let mut groups = Union::new(hits.len());
    for (rank, &i) in by_x.iter().enumerate() {
        // No hit further right than this can be similar: its delta is at most that of `i` with itself.
        let reach = EPS * f64::from(hits[i].w + hits[i].h) * 0.5;
        for &j in by_x[rank + 1..].iter().take_while(|&&j| f64::from(hits[j].x - hits[i].x) <= reach) {
            if similar(&hits[i], &hits[j]) {
                groups.join(i, j);
            }
        }
    }
    groups.roots()
}

fn averages(hits: &[Hit], classes: &[usize]) -> Vec<(Hit, usize)> {
    let mut sums = std::collections::BTreeMap::<usize, ([i64; 4], usize)>::new();
    for (hit, &class) in hits.iter().zip(classes) {
        let (sum, count) = sums.entry(class).or_default();
        for (total, side) in sum.iter_mut().zip([hit.x, hit.y, hit.w, hit.h]) {
            *total += i64::from(side);
        }
        *count += 1;
    }
    let average = |(sum, count): ([i64; 4], usize)| {
        let share = 1.0 / count as f32;
        let [x, y, w, h] = sum.map(|total| (total as f32 * share).round_ties_even() as i32);
        (Hit { x, y, w, h }, count)
    };
    sums.into_values().map(average).collect()
}

/// Whether `inner` lies inside the grown `outer` and has clearly fewer hits.
fn swallows((outer, more): &(Hit, usize), (inner, fewer): &(Hit, usize)) -> bool {
    let grow = |side: i32| (f64::from(side) * EPS).round_ties_even() as i32;
    let (dx, dy) = (grow(outer.w), grow(outer.h));
    inner.x >= outer.x - dx
        && inner.y >= outer.y - dy
        && inner.x + inner.w <= outer.x + outer.w + dx
        && inner.y + inner.h <= outer.y + outer.h + dy
        && (*more > (*fewer).max(3) || *fewer < 3)
}
