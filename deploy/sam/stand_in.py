#!/usr/bin/env python3
"""The template as the stand-in for AWS can take it, for end-to-end tests: stand_in.py > template-for-ministack.yaml

ministack 1.5.33 has no alarms with metric math, no policies of event buses, and no numbers from parameters in a
ScalingConfig. Only that is changed, and told on standard error. The result is larger than 51,200 bytes: give it as a
TemplateURL. `.ci/deployment.py` deploys it and uses it.
"""

import re
import sys
from pathlib import Path

TEMPLATE = Path(__file__).resolve().parent / "template.yaml"


def stand_in(template):
    """The template without what the stand-in does not take, and a line about each thing that is not there."""
    head, rest = template.split("\nResources:\n", 1)
    resources, outputs = rest.split("\nOutputs:\n", 1)
    kept, left_out = [], []
    for resource in re.split(r"\n(?=  \w+:\n)", resources):
        name = re.search(r"^  (\w+):$", resource, re.M)
        if "Type: AWS::CloudWatch::Alarm" in resource and "\n      Metrics:" in resource:
            left_out.append(f"{name[1]}: the stand-in has no alarms with metric math")
        elif "Type: AWS::Events::EventBusPolicy" in resource:
            left_out.append(f"{name[1]}: the stand-in has no policies of event buses")
        else:
            kept.append(resource)

    def default(match):
        # A number in a parameter comes as text, which stops the stand-in's queues.
        number = re.search(rf"^  {match[1]}:\n(?:    .*\n)*?    Default: (\d+)$", head, re.M)[1]
        left_out.append(f"MaximumConcurrency: the default of {match[1]}, {number}, and not what is given for it")
        return f"MaximumConcurrency: {number}"

    text = re.sub(r"MaximumConcurrency: !Ref (\w+)", default, "\n".join(kept))
    return "\n".join([head, "Resources:", text, "Outputs:", outputs.rstrip()]) + "\n", left_out


if __name__ == "__main__":
    text, left_out = stand_in(TEMPLATE.read_text())
    print(text, end="")
    print("\n".join(left_out), file=sys.stderr)
