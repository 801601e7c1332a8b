"""Executes notebooks through the Rust kernel, writes them and their pages, and fails loudly.

The kernel answers "ok" to a cell that panicked or whose `?` returned an error; only stderr shows it. So any text on
stderr fails the run, as does an error message, the kernel's death or a cell that exceeds its time. It also answers
"ok" when it shows a picture's description instead of the picture, so a value shown as text alone fails too.
A cell tagged `may-fail` is exempt.
"""

import argparse
import copy
import os
import queue
import re
import sys
import time
from pathlib import Path

import nbformat
from jupyter_client import BlockingKernelClient
from latex2mathml.converter import convert
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError, CellTimeoutError, DeadKernelError
from nbconvert import HTMLExporter

COLOURS = re.compile(r"\x1b\[[0-9;]*m")
# Code first, so that dollars in it stay what they are.
FORMULAS = re.compile(r"(```.*?```|`[^`\n]*`)|\$\$(.+?)\$\$|\$([^$\n]+?)\$", re.DOTALL)

# Lines of a training are long: they break between words, and most of them not at all.
STYLE = """<style>
.jp-OutputArea .jp-RenderedText pre { font-size: 11px; word-break: normal; overflow-wrap: anywhere; }
</style>
</head>"""

# evcxr does not wait for stderr before it says that a cell is done.
LATE_SECONDS = 0.1


class Listener:
    """Hears everything that the kernel says. nbclient ignores what comes after a cell's end, as the text of a panic may."""

    def __init__(self, manager):
        self.client = BlockingKernelClient()
        self.client.load_connection_info(manager.get_connection_info())
        self.client.start_channels(shell=False, iopub=True, stdin=False, hb=False, control=False)
        self.complaint(seconds=0.5)  # a subscription takes a moment to arrive

    def close(self):
        """Closes the sockets: left to the interpreter, they can keep it waiting at the kernel's end."""
        self.client.stop_channels()

    def complaint(self, seconds=LATE_SECONDS):
        """The errors and the text on stderr since the last call, or None."""
        heard = []
        end = time.monotonic() + seconds
        while True:
            try:
                message = self.client.get_iopub_msg(timeout=max(0, end - time.monotonic()))
            except queue.Empty:
                return "".join(heard).strip() or None
            content = message["content"]
            if message["msg_type"] == "error":
                heard.append("\n".join([content["evalue"], *content["traceback"]]) + "\n")
            elif message["msg_type"] == "stream" and content["name"] == "stderr":
                heard.append(content["text"])


def shown(cell):
    """The kinds of output of a cell, for the progress line."""
    kinds = []
    for output in cell.get("outputs", []):
        kinds += sorted(output.data) if "data" in output else [output.get("name", output.output_type)]
    return ", ".join(dict.fromkeys(kinds))


def plain(cell):
    """What is wrong with a value that is shown as text alone: the kernel did not use the value's own display."""
    for output in cell.get("outputs", []):
        if set(output.get("data", {})) == {"text/plain"}:
            return f"shown as text only: {output.data['text/plain']}"
    return None


def typeset(markdown):
    """Markdown whose formulas are MathML, which browsers draw by themselves: a page has to be readable offline."""

    def formula(found):
        code, display, inline = found.groups()
        if code:
            return code
        return convert(display or inline, display="block" if display else "inline").replace("\n", " ")

    return FORMULAS.sub(formula, markdown)


class Run:
    """One notebook: executes it, prints a line per cell, stops at the first cell that fails."""

    def __init__(self, path, kernel, timeout):
        self.path = path
        self.notebook = nbformat.read(path, as_version=4)
        self.failure = None
        self.number = 0
        self.seconds = []
        self.client = NotebookClient(
            self.notebook,
            kernel_name=kernel,
            timeout=timeout,
            startup_timeout=300,
            resources={"metadata": {"path": str(path.parent)}},
            on_cell_execute=self.begin,
            on_cell_executed=self.end,
        )

    def begin(self, cell, cell_index):
        self.started = time.monotonic()

    def end(self, cell, cell_index, execute_reply):
        self.number += 1
        seconds = time.monotonic() - self.started
        self.seconds.append(seconds)
        print(f"      cell {self.number:2}: {seconds:6.2f} s  {shown(cell)}")

    def source(self):
        """The cells to execute, without outputs of an earlier run."""
        cells = [cell for cell in self.notebook.cells if cell.cell_type == "code"]
        for cell in cells:
            cell.outputs, cell.execution_count = [], None
        return cells

    def execute(self):
        cells = self.source()
        started = time.monotonic()
        try:
            with self.client.setup_kernel():
                print(f"      kernel ready: {time.monotonic() - started:.2f} s")
                self.listener = Listener(self.client.km)
                try:
                    self.cells()
                finally:
                    self.listener.close()
        except (DeadKernelError, RuntimeError) as error:
            self.failure = self.failure or f"cell {self.number + 1} of {len(cells)}: the kernel died: {error}"
        return self.failure

    def cells(self):
        for index, cell in enumerate(self.notebook.cells):
            if cell.cell_type != "code":
                continue
            self.cell(index, cell)
            if self.failure:
                return
        self.fail_on(self.listener.complaint(seconds=1))

    def cell(self, index, cell):
        exempt = "may-fail" in cell.metadata.get("tags", [])
        try:
            self.client.execute_cell(cell, index)
        except CellExecutionError:
            pass  # the listener hears its text
        except CellTimeoutError:
            self.failure = f"cell {self.number + 1}: not finished after {self.client.timeout} s:\n{cell.source}"
            return
        text = self.listener.complaint() or plain(cell)
        if not exempt:
            self.fail_on(text, cell.source)

    def fail_on(self, text, source=""):
        if text:
            self.failure = f"cell {self.number}:\n{source}\n--- {COLOURS.sub('', text)[:4000]}"

    def write(self, folder):
        nbformat.write(self.notebook, folder / self.path.name)
        typed = copy.deepcopy(self.notebook)
        for cell in typed.cells:
            if cell.cell_type == "markdown":
                cell.source = typeset(cell.source)
        page, _ = HTMLExporter().from_notebook_node(typed, resources={"metadata": {"name": self.path.stem}})
        page = page.replace("</head>", STYLE, 1)
        (folder / self.path.with_suffix(".html").name).write_text(page, encoding="utf-8")


def main():
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("notebooks", nargs="+", type=Path)
    parser.add_argument("--kernel", required=True)
    parser.add_argument("--out", required=True, type=Path)
    parser.add_argument("--timeout", type=int, default=int(os.environ.get("TACHIE_CELL_SECONDS", "1800")))
    args = parser.parse_args()
    failed = 0
    for path in args.notebooks:
        print(f"      {path.name}")
        run = Run(path.resolve(), args.kernel, args.timeout)
        started = time.monotonic()
        failure = run.execute()
        run.write(args.out)
        print(f"      {path.name}: {run.number} cells, {time.monotonic() - started:.1f} s")
        if failure:
            failed += 1
            print(f"error: {path.name}, {failure}", file=sys.stderr)
    print(f"      notebooks: {len(args.notebooks) - failed} passed, {failed} failed")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
