"""The GSM alphabet, independent of the package's own: the code points of 3GPP TS 23.038, row by row."""

_ROWS = (
    "0040 00A3 0024 00A5 00E8 00E9 00F9 00EC 00F2 00C7 000A 00D8 00F8 000D 00C5 00E5",
    "0394 005F 03A6 0393 039B 03A9 03A0 03A8 03A3 0398 039E 00C6 00E6 00DF 00C9",
    "0020 0021 0022 0023 00A4 0025 0026 0027 0028 0029 002A 002B 002C 002D 002E 002F",
    "0030 0031 0032 0033 0034 0035 0036 0037 0038 0039 003A 003B 003C 003D 003E 003F",
    "00A1 0041 0042 0043 0044 0045 0046 0047 0048 0049 004A 004B 004C 004D 004E 004F",
    "0050 0051 0052 0053 0054 0055 0056 0057 0058 0059 005A 00C4 00D6 00D1 00DC 00A7",
    "00BF 0061 0062 0063 0064 0065 0066 0067 0068 0069 006A 006B 006C 006D 006E 006F",
    "0070 0071 0072 0073 0074 0075 0076 0077 0078 0079 007A 00E4 00F6 00F1 00FC 00E0",
)
EXTENSION = frozenset("\x0c^{}\\[~]|\u20ac")
GSM = frozenset(chr(int(point, 16)) for row in _ROWS for point in row.split()) | EXTENSION


def gsm_size(character: str) -> int:
    """Return how many units of a GSM part a character takes."""
    return 2 if character in EXTENSION else 1


def unicode_size(character: str) -> int:
    """Return how many UTF-16 units a character takes."""
    return len(character.encode("utf-16-le", "surrogatepass")) // 2
