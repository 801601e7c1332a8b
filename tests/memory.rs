//! Where the memory of threads lies. In a process of its own: what other tests have started would be before it.
#![cfg(all(target_os = "linux", target_env = "gnu"))]

use std::fs;
use std::ops::Range;
use std::thread;

/// The program's one heap, which all threads share when the library was loaded before them.
fn heap() -> Range<usize> {
    let maps = fs::read_to_string("/proc/self/maps").unwrap();
    let line = maps.lines().find(|line| line.ends_with("[heap]")).expect("a heap");
    let (start, end) = line.split_once(' ').unwrap().0.split_once('-').unwrap();
    let address = |text| usize::from_str_radix(text, 16).unwrap();
    address(start)..address(end)
}

#[test]
fn threads_share_one_heap_and_keep_it() {
    // Nothing of the library is called before, and this thread is not the first one of the process.
    let size = 8 << 20;
    let allocate = move |filling: u8| {
        let block = vec![filling; size];
        block.as_ptr() as usize
    };
    let threads: Vec<_> = (1..5).map(|filling| thread::spawn(move || allocate(filling))).collect();
    let found: Vec<usize> = threads.into_iter().map(|thread| thread.join().unwrap()).collect();
    let heap = heap();
    assert!(found.iter().all(|address| heap.contains(address)), "{found:x?}, heap {heap:x?}");
    assert!(heap.len() >= size, "everything was freed, and nothing should have gone back: {heap:x?}");
    println!("the library is linked: {:?}", tachie::rng::seed(1));
}
