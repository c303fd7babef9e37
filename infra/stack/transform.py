"""Turns the SAM template into the CloudFormation that AWS would make of it, without AWS.

The checkers look at the result: mistakes inside SAM resources are invisible in the template itself.
"""

import json
import sys

import yaml
from samtranslator.translator.transform import transform
from samtranslator.yaml_helper import yaml_parse


def main(template_path, result_path):
    with open(template_path, encoding="utf-8") as file:
        template = yaml_parse(file)
    for name, resource in template["Resources"].items():
        if resource["Type"] == "AWS::Serverless::Function":
            # What `sam package` would put here: the transform refuses a local folder.
            resource["Properties"]["CodeUri"] = f"s3://artifacts/{name}"
    # Only parameters without a default need a value, and there are none. No managed policy is used by name.
    result = transform(template, {}, NoManagedPolicies())
    # Through JSON, because the intermediate classes of the transform are not plain dictionaries.
    with open(result_path, "w", encoding="utf-8") as file:
        yaml.safe_dump(json.loads(json.dumps(result)), file, sort_keys=False)


class NoManagedPolicies:
    """The transform asks for names of managed policies; the template uses none."""

    def load(self):
        return {}


if __name__ == "__main__":
    main(*sys.argv[1:])
