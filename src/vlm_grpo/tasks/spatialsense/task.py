"""The task `spatialsense`: does a relation hold between two things of a photograph? (reference, section 5.2)"""

from dataclasses import replace

from vlm_grpo.tasks.rel3d.task import renamed
from vlm_grpo.tasks.vsr import task as vsr

NAME = "spatialsense"
TASK = replace(vsr.TASK, name=NAME, gold=renamed(vsr.TASK.gold, NAME), hacks=renamed(vsr.TASK.hacks, NAME))
