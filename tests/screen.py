"""A terminal that wraps and rewraps lines, as far as a live view needs one."""

import re

_TOKEN = re.compile(r"\x1b\[(?P<numbers>[0-9;?]*)(?P<command>[A-Za-z])|\x1b[^\[]|(?P<text>.)", re.DOTALL)


class Screen:
    """Shows what is written to it. It can be the `file` of a console. Its height is unlimited."""

    def __init__(self, width=80):
        self.width = width
        self.cursor_is_visible = True
        self.styles = set()  #: numbers of all styles and colours so far
        self._rows = [[]]
        self._continues = [False]  # whether a row is the continuation of the one before
        self._y = self._x = 0

    def write(self, text):
        for token in _TOKEN.finditer(text):
            if token["command"]:
                self._obey(token["command"], token["numbers"])
            elif token["text"]:
                self._put(token["text"])
        return len(text)

    def flush(self):
        pass

    @property
    def lines(self):
        """The rows as text, without spaces at their ends and without empty rows at the end."""
        return "\n".join("".join(row).rstrip() for row in self._rows).rstrip().split("\n")

    def resize(self, width):
        """Change the width. Lines that become too long continue in the next row, and are joined if they fit again."""
        lines, begins, cursor = [], [], None
        for y, row in enumerate(self._rows):
            if not self._continues[y]:
                lines.append([])
                begins.append(y)
            if y == self._y:
                cursor = len(lines) - 1, len(lines[-1]) + self._x
            lines[-1] += row
        self._rows, self._continues = [], []
        for number, line in enumerate(lines):
            pieces = [line[at : at + width] for at in range(0, max(len(line), 1), width)]
            if cursor[0] == number:
                index = min(cursor[1] // width, len(pieces) - 1)
                y, x = len(self._rows) + index, cursor[1] - index * width
            self._rows += pieces
            self._continues += [index > 0 for index in range(len(pieces))]
        self.width, self._y, self._x = width, y, x

    def _put(self, character):
        if character == "\r":
            self._x = 0
        elif character == "\n":
            self._next_row(continues=False)
        elif character >= " ":
            if self._x >= self.width:
                self._next_row(continues=True)
            row = self._rows[self._y]
            row += [" "] * (self._x + 1 - len(row))
            row[self._x] = character
            self._x += 1

    def _next_row(self, *, continues):
        self._y, self._x = self._y + 1, 0
        if self._y == len(self._rows):
            self._rows.append([])
            self._continues.append(continues)

    def _obey(self, command, numbers):
        if command == "A":
            self._y = max(self._y - int(numbers or 1), 0)
        elif command == "K":
            assert numbers == "2"
            self._rows[self._y] = []
            self._continues[self._y + 1 : self._y + 2] = [False] * len(self._rows[self._y + 1 : self._y + 2])
        elif command in "hl" and numbers == "?25":
            self.cursor_is_visible = command == "h"
        elif command == "m":
            self.styles |= {int(number) for number in numbers.split(";") if number}
        else:
            raise AssertionError(f"unexpected control sequence: {numbers}{command}")
