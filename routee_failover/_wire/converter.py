"""The cattrs converter of the wire, and its twin that keeps keys which nobody documents instead of refusing them."""

from cattrs import Converter

strict_converter: Converter = Converter(forbid_extra_keys=True)
lenient_converter: Converter = Converter(forbid_extra_keys=False)
