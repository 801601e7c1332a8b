"""The other side of benches/faces.rs: times OpenCV on the pictures that come in on standard input.

Arguments: cascade file, threads, detections per round. Answers each line (a picture's path as JSON) with the median wall
milliseconds and the mean processor milliseconds of a detection.
"""

import json
import statistics
import sys
import time

import cv2

cascade, threads, runs = cv2.CascadeClassifier(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
cv2.setNumThreads(threads)
for line in sys.stdin:
    grey = cv2.equalizeHist(cv2.cvtColor(cv2.imread(json.loads(line)), cv2.COLOR_BGR2GRAY))
    walls, before = [], time.process_time()
    for _ in range(runs):
        start = time.perf_counter()
        cascade.detectMultiScale(grey, 1.1, 5, 0, (24, 24))
        walls.append((time.perf_counter() - start) * 1e3)
    processor = (time.process_time() - before) * 1e3 / runs
    print(json.dumps({"wall": statistics.median(walls), "processor": processor}), flush=True)
